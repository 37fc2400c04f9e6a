"""The embedding cache."""

import os
import threading
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.errors import T2SError
from t2s_agent.segmenting.cache import EmbeddingCache
from t2s_agent.segmenting.segmenter import Embedding


def embedding(key, nbytes=10):
    return Embedding(key, 1, 1, {}, nbytes)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 60)), max_size=30))
def test_memory_never_exceeds_its_budget_and_the_right_value_comes_back(asked):
    cache = EmbeddingCache(max_bytes=100)
    for key, nbytes in asked:
        assert cache.get(key, partial(embedding, key, nbytes)).key == key
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


def on_disk(key, floats=25):
    return Embedding(key, 1, 1, {"map": torch.zeros(floats)}, 4 * floats)


def test_the_folder_is_bounded_and_incomplete_files_are_deleted(tmp_path):
    half = tmp_path / "x.1.2.new"
    half.write_bytes(b"half")
    os.utime(half, (0, 0))
    cache = EmbeddingCache(folder=tmp_path, max_disk_bytes=500)
    for number in range(5):
        cache.get(f"k{number}", partial(on_disk, f"k{number}"))
        os.utime(tmp_path / f"k{number}.safetensors", (number + 1,) * 2)
    left = sorted(file.name for file in tmp_path.iterdir())
    assert left == ["k3.safetensors", "k4.safetensors"]  # each has 100 bytes and a header


def test_a_folder_that_cannot_be_written_raises_an_error(tmp_path):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with pytest.raises(T2SError) as caught:
        EmbeddingCache(folder=tmp_path / "file").get("k", lambda: on_disk("k"))
    assert caught.value.code == "output_unwritable"


def test_with_keep_first_the_first_embeddings_stay(tmp_path):
    for _ in range(2):  # the second reader goes through the same images in the same order
        cache = EmbeddingCache(max_bytes=0, folder=tmp_path, max_disk_bytes=800, keep_first=True)
        for key in "abcdefgh":
            cache.get(key, partial(on_disk, key))
    assert cache.from_disk > 0
    assert cache.from_disk + cache.made == 8
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 800 + 400


def test_it_says_where_embeddings_came_from(tmp_path):
    cache = EmbeddingCache(folder=tmp_path)
    for key in "aba":
        cache.get(key, partial(on_disk, key))
    assert (cache.made, cache.from_memory, cache.from_disk) == (2, 1, 0)
    again = EmbeddingCache(folder=tmp_path)
    again.get("a", lambda: on_disk("a"))
    assert (again.made, again.from_memory, again.from_disk) == (0, 0, 1)
