"""The decoder for small models writes what transformers' `generate` writes, token for token."""

import copy
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForImageTextToText, GenerationConfig

from evals.datasets.procedural import Procedural
from evals.questions import CATEGORIES
from evals.scenes import demo
from t2s_agent.models import nano_folder
from t2s_agent.prompting import token_steps
from t2s_agent.prompting.decoding import Drawing, generate, is_plain
from t2s_agent.prompting.local import TransformersPrompter
from t2s_agent.prompting.sampling import Sampling

NANO = nano_folder("prompter")


@pytest.fixture(scope="module")
def tiny(tiny_models):
    """A prompter with a tiny Qwen3-VL whose end token is one that it draws now and then."""
    return TransformersPrompter.load(tiny_models["qwen3_vl"], device="cpu")


@pytest.fixture
def config(tiny):
    return GenerationConfig(
        max_new_tokens=140,  # more than token_steps.ROOM
        eos_token_id=[2, 3, 4],
        pad_token_id=tiny._tokenizer.pad_token_id,
        suppress_tokens=[tiny._model.config.image_token_id],
        begin_suppress_tokens=list(range(100)),
    )


def asked(prompter, views, questions):
    return prompter._inputs(views, [prompter._messages(question) for question in questions])


def transformers_own(model, inputs, config, seed=0):
    """As transformers writes it. Its own repetition of rows fails for a model without deepstack, so rows are repeated here."""
    samples, alone = config.num_return_sequences or 1, copy.deepcopy(config)
    alone.num_return_sequences = 1
    sizes = inputs["image_grid_thw"].prod(-1).tolist()
    repeated = {key: value.repeat_interleave(samples, 0) for key, value in inputs.items()}
    repeated["pixel_values"] = torch.cat([x.repeat(samples, 1) for x in inputs["pixel_values"].split(sizes)])
    torch.manual_seed(seed)
    with torch.inference_mode():
        return model.generate(**repeated, generation_config=alone)[:, inputs["input_ids"].shape[1] :].tolist()


def ours(model, inputs, config, monkeypatch, seed=0, prepared=None):
    """As this module writes it; fails where it would leave the work to transformers."""
    with monkeypatch.context() as patch, torch.inference_mode():
        patch.setattr(model, "generate", None)
        torch.manual_seed(seed)
        return generate(model, inputs, config, prepared)


def test_greedy_tokens_of_prompts_of_different_lengths(tiny, config, view_of, monkeypatch):
    inputs = asked(tiny, [view_of(96, 96), view_of(140, 90, seed=1)], ["a", "a longer question"])
    written = ours(tiny._model, inputs, config, monkeypatch)
    assert written == transformers_own(tiny._model, inputs, config)
    assert len(written[0]) > token_steps.ROOM or written[0][-1] in (2, 3, 4)


@pytest.mark.parametrize("warped", [{"top_k": 0}, {"top_k": 5, "temperature": 0.7}, {"top_k": 0, "top_p": 0.8}])
def test_samples_of_a_seed(tiny, config, view_of, monkeypatch, warped):
    inputs = asked(tiny, [view_of(96, 96), view_of(140, 90, seed=1)], ["a", "a longer question"])
    config.update(do_sample=True, num_return_sequences=3, **warped)
    written = ours(tiny._model, inputs, config, monkeypatch, seed=4)
    assert len(written) == 6
    assert written == transformers_own(tiny._model, inputs, config, seed=4)
    assert written != ours(tiny._model, inputs, config, monkeypatch, seed=5)


def test_rows_that_end_are_padded(tiny, config, view_of, monkeypatch):
    inputs = asked(tiny, [view_of(96, 96)], ["a"])
    config.update(do_sample=True, num_return_sequences=6, top_k=0, temperature=3.0, eos_token_id=list(range(100, 130)))
    written = ours(tiny._model, inputs, config, monkeypatch)
    ends = [next(at for at, token in enumerate(row) if token in config.eos_token_id) for row in written]
    assert len(set(ends)) > 1
    assert max(ends) == len(written[0]) - 1
    for row, end in zip(written, ends, strict=True):
        assert row[end + 1 :] == [config.pad_token_id] * (len(row) - end - 1)


def test_heads_that_share_keys(tiny, config, view_of, monkeypatch):
    settings = copy.deepcopy(tiny._model.config)
    settings.text_config.num_attention_heads, settings.text_config.num_key_value_heads = 4, 2
    torch.manual_seed(0)
    model = type(tiny._model)(settings).eval()
    inputs = asked(tiny, [view_of(96, 96), view_of(140, 90, seed=1)], ["a", "a longer question"])
    config.update(do_sample=True, num_return_sequences=2, top_k=0)
    assert ours(model, inputs, config, monkeypatch) == transformers_own(model, inputs, config)


@pytest.mark.parametrize(
    "setting",
    [{"repetition_penalty": 1.05}, {"num_beams": 2}, {"min_p": 0.1}, {"stop_strings": ["a"]}, {"eos_token_id": None}],
)
def test_other_settings_are_left_to_transformers(tiny, config, setting):
    assert Drawing.of(tiny._model, config) is not None
    config.update(**setting)
    model = copy.copy(tiny._model)
    model.generation_config = GenerationConfig()
    assert Drawing.of(model, config) is None


def test_the_models_own_settings_count_where_none_are_given(tiny, config):
    model = copy.copy(tiny._model)
    model.generation_config = GenerationConfig(repetition_penalty=1.05)
    assert Drawing.of(model, config) is None
    model.generation_config = GenerationConfig(temperature=0.3, top_k=7, suppress_tokens=[1])
    config.do_sample = True
    drawing = Drawing.of(model, config)
    assert (drawing.temperature, drawing.top_k) == (0.3, 7)
    assert drawing.suppressed == (tiny._model.config.image_token_id,)


def test_other_models_are_left_to_transformers(tiny, tiny_models):
    assert is_plain(tiny._model)
    assert not is_plain(TransformersPrompter.load(tiny_models["qwen2_5_vl"], device="cpu")._model)
    assert not is_plain(AutoModelForImageTextToText.from_pretrained(tiny_models["qwen3_vl"], dtype=torch.bfloat16))
    changed = AutoModelForImageTextToText.from_pretrained(tiny_models["qwen3_vl"])
    attention = changed.model.language_model.layers[0].self_attn
    attention.q_proj = torch.nn.Sequential(attention.q_proj)  # as an adapter would stand around it
    assert not is_plain(changed)


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(4)])
def test_nano_answers_as_with_transformers(view_of, monkeypatch, sampling):
    nano = TransformersPrompter.load(NANO, device="cpu", sampling=sampling)
    inputs = asked(nano, [view_of(448, 448)], ["Where are the storage tanks?"])
    config = nano._generation(sampling.samples)
    config.max_new_tokens = 40
    expected = transformers_own(nano._model, inputs, config)
    assert ours(nano._model, inputs, config, monkeypatch) == expected
    assert ours(nano._model, inputs, config, monkeypatch, prepared=nano._prepared) == expected


@pytest.mark.parametrize("most", [1, 2, 3, 60])
def test_guesses_neither_change_tokens_nor_pass_the_limit(tiny, config, view_of, monkeypatch, most):
    """Also where nearly all of them are wrong: the form of every token is that of a word."""
    inputs = asked(tiny, [view_of(96, 96)], ["a"])
    config.update(max_new_tokens=most)
    expected = transformers_own(tiny._model, inputs, config)
    assert ours(tiny._model, inputs, config, monkeypatch, prepared=tiny._prepared) == expected
    for form in ("word", "#"):
        prepared = replace(tiny._prepared, forms=[form] * len(tiny._prepared.forms))
        assert ours(tiny._model, inputs, config, monkeypatch, prepared=prepared) == expected


@pytest.mark.slow
def test_nano_writes_the_same_answers_about_the_demo_and_procedural_scenes(view_of, monkeypatch):
    nano = TransformersPrompter.load(NANO, device="cpu")
    asked_about = [(demo().rgb, f"Where are the {category}s?") for category in CATEGORIES]
    asked_about += [(sample.read_image(), sample.question) for sample in Procedural(count=3).samples()]
    for start in range(0, len(asked_about), 4):
        some = asked_about[start : start + 4]
        views = [replace(view_of(rgb.shape[1], rgb.shape[0]), rgb=rgb) for rgb, _ in some]
        inputs, config = asked(nano, views, [question for _, question in some]), nano._generation(1)
        written = ours(nano._model, inputs, config, monkeypatch)
        assert written == transformers_own(nano._model, inputs, config)
        for view, (_, question), together in zip(views, some, written, strict=True):
            [alone] = ours(nano._model, asked(nano, [view], [question]), config, monkeypatch, prepared=nano._prepared)
            assert alone == together[: len(alone)]
            assert set(together[len(alone) :]) <= {config.pad_token_id}
