"""The embedding cache."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.segmenting.cache import EmbeddingCache
from t2s_agent.segmenting.segmenter import Embedding


def embedding(key, nbytes=10):
    return Embedding(key, 1, 1, {}, nbytes)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 60)), max_size=30))
def test_memory_never_exceeds_its_budget_and_the_right_value_comes_back(asked):
    cache = EmbeddingCache(max_bytes=100)
    for key, nbytes in asked:
        assert cache.get(key, lambda key=key, nbytes=nbytes: embedding(key, nbytes)).key == key
        assert cache.nbytes <= 100


def test_the_least_recently_used_goes_first():
    cache, made = EmbeddingCache(max_bytes=20), []

    def ask(key):
        cache.get(key, lambda: (made.append(key), embedding(key))[1])

    for key in "abacb":
        ask(key)
    assert made == ["a", "b", "c", "b"]


def test_threads_that_ask_at_once_make_it_once():
    cache, made, ready = EmbeddingCache(), [], threading.Barrier(4)

    def make():
        made.append(1)
        return embedding("k")

    def ask():
        ready.wait()
        cache.get("k", make)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
