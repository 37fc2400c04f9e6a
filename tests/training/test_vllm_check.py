"""What vLLM saw is compared with what was sent, by a client that gives prompt ids back as vLLM does."""

import pytest

from t2s_agent.errors import T2SError
from training.vllm_check import checked, require_same_prompts

IMAGE = 9
SENT = [[1, IMAGE, IMAGE, 2], [1, IMAGE, IMAGE, 3, 4]]


def vllm(change):
    """A client whose prompts are changed before they are answered, as vLLM's own processor might do."""

    def generate(prompts, images, num_generations=1):
        return [change(list(ids)) for ids in prompts], [[5]] * len(prompts), [[0.0]] * len(prompts), None

    return checked(generate, IMAGE)


def test_prompts_that_were_seen_as_sent_pass_and_the_result_is_vllms():
    assert vllm(lambda ids: ids)(SENT, images=None)[1] == [[5], [5]]


def test_a_picture_that_is_expanded_twice_is_refused_with_the_numbers():
    with pytest.raises(T2SError, match=r"6 tokens instead of 4, the first at 3; 4 image tokens instead of 2") as told:
        vllm(lambda ids: ids[:1] + [IMAGE] * 4 + ids[3:])(SENT, images=None)
    assert told.value.code == "model_failed"
    assert "rollout.engine" in told.value.fix


def test_a_changed_text_is_refused_without_talk_of_pictures():
    with pytest.raises(T2SError, match="the first at 0") as told:
        vllm(lambda ids: [7, *ids[1:]])(SENT, images=None)
    assert "image tokens" not in told.value.what


def test_a_prompt_that_is_cut_is_refused():
    with pytest.raises(T2SError, match="prompt 1: 4 tokens instead of 5, the first at 4"):
        require_same_prompts(SENT, [SENT[0], SENT[1][:-1]], IMAGE)


def test_a_missing_prompt_is_refused():
    with pytest.raises(T2SError, match="answered 1 prompts, 2 were sent"):
        require_same_prompts(SENT, SENT[:1], IMAGE)
