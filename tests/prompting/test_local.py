"""Checkpoints that run here: tiny random ones, loaded from their folders as published ones would be."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from t2s_agent.errors import T2SError
from t2s_agent.prompting.frames import Size
from t2s_agent.prompting.local import TransformersPrompter
from t2s_agent.prompting.sampling import Sampling
from t2s_agent.prompting.style import STYLES

FAMILIES = ("qwen2_5_vl", "qwen3_vl", "internvl")
RAW = (
    "<think>two tanks</think>\n<answer>```json"
    '[{"bbox_2d": [14, 28, 42, 56], "positive_points": [[21, 35], [28, 42]]}]```</answer>'
)


@pytest.fixture(scope="module", params=FAMILIES)
def prompter(request, tiny_models):
    return TransformersPrompter.load(tiny_models[request.param], device="cpu", max_new_tokens=8)


def copied(folder, to):
    shutil.copytree(folder, to)
    return to


def says(prompter, monkeypatch, text):
    """Lets the model write `text`, whatever it is asked."""
    written = prompter._tokenizer(text + "<|im_end|>", return_tensors="pt")["input_ids"]

    def generate(_, inputs, config, *__):
        return written.expand(len(inputs["input_ids"]) * config.num_return_sequences, -1).tolist()

    monkeypatch.setattr("t2s_agent.prompting.local.generate", generate)


def test_a_folder_is_loaded_by_its_model_type_and_answers(prompter, view_of):
    answers = prompter.answer([view_of(100, 84), view_of(84, 140)], ["the tank", "the longest ship at the quay"])
    for answer in answers:
        assert answer.status == "unparsable"  # random weights
        assert answer.tokens == 8
        assert answer.warnings[0] == "the answer was cut off after 8 tokens"
        assert answer.raw
        assert answer.seconds > 0


def test_a_question_is_answered_alike_alone_and_beside_a_longer_one(prompter, view_of):
    view, other = view_of(100, 84), view_of(140, 140, seed=1)
    alone = prompter.answer([view], ["the tank"])[0].raw
    beside = prompter.answer([view, other], ["the tank", "a question that is a good deal longer than the first"])[0].raw
    assert beside == alone


def test_free_words(prompter, view_of):
    assert isinstance(prompter.tell(view_of(100, 84), "What is this?"), str)


def test_an_answer_arrives_word_for_word_and_in_view_pixels(tiny_models, view_of, monkeypatch):
    boxes = {}
    for family in FAMILIES:
        prompter = TransformersPrompter.load(tiny_models[family], device="cpu")
        says(prompter, monkeypatch, RAW)
        answer = prompter.answer([view_of(168, 84)], ["tanks"])[0]
        assert answer.raw == RAW  # its tags are special tokens of this tokenizer
        assert answer.thinking == "two tanks"
        assert answer.warnings == ()
        boxes[family] = answer.instances[0].box
    assert boxes["qwen2_5_vl"] == (14, 28, 42, 56)  # 168 x 84 is left as it is
    assert boxes["qwen3_vl"] == pytest.approx((14 * 0.168, 28 * 0.084, 42 * 0.168, 56 * 0.084))
    assert boxes["internvl"] == boxes["qwen3_vl"]


def test_think2seg_weights_get_their_square_of_840(tiny_models, tmp_path):
    folder = copied(tiny_models["qwen2_5_vl"], tmp_path / "Think2Seg-RS-3B")
    prompter = TransformersPrompter.load(folder, device="cpu")
    assert prompter.name == str(folder)
    assert TransformersPrompter.load(folder, device="cpu", name="paper").name == "paper"
    assert prompter.frame == "pixels of a 840 x 840 square"
    assert prompter._rule.picture(Size(300, 200)) == Size(840, 840)


def test_think2seg_weights_of_internvl_write_pixels_of_a_square_of_896(tiny_models, tmp_path):
    folder = copied(tiny_models["internvl"], tmp_path / "Think2Seg-RS-8B-hf")
    file = folder / "preprocessor_config.json"
    settings = json.loads(file.read_text(encoding="utf-8")) | {"max_patches": 256}  # tiles of 56 px instead of 448
    file.write_text(json.dumps(settings), encoding="utf-8")
    prompter = TransformersPrompter.load(folder, device="cpu")
    assert prompter.frame == "pixels of a 896 x 896 square"
    assert prompter._rule.frame(Size(1792, 448)).model == Size(896, 896)


def test_a_square_may_be_written_in_the_folder(tiny_models, tmp_path):
    folder = copied(tiny_models["internvl"], tmp_path / "own")
    (folder / "frame.json").write_text('{"square": 112}', encoding="utf-8")
    assert TransformersPrompter.load(folder, device="cpu").frame == "pixels of a 112 x 112 square"
    (folder / "frame.json").write_text('{"square": "112"}', encoding="utf-8")
    with pytest.raises(T2SError, match=r"frame.json has no square in px"):
        TransformersPrompter.load(folder, device="cpu")


def test_a_square_of_more_tiles_than_the_model_takes_is_refused(tiny_models):
    TransformersPrompter.load(tiny_models["internvl"], device="cpu", square=3 * 56)  # nine tiles; it takes twelve
    with pytest.raises(T2SError, match="at most 168 px"):
        TransformersPrompter.load(tiny_models["internvl"], device="cpu", square=4 * 56)


def test_a_processor_of_one_area_stretches_to_its_square(tiny_models, tmp_path, view_of):
    folder = copied(tiny_models["qwen3_vl"], tmp_path / "fixed")
    settings = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    settings["size"] = {"shortest_edge": 128 * 128, "longest_edge": 128 * 128}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    prompter = TransformersPrompter.load(folder, device="cpu", max_new_tokens=2)
    assert prompter._rule.picture(Size(300, 100)) == Size(128, 128)
    assert prompter._inputs([view_of(300, 100)], [prompter._messages("q")])["image_grid_thw"].tolist() == [[1, 8, 8]]


def test_a_square_that_patches_do_not_fill_is_refused(tiny_models):
    with pytest.raises(T2SError, match="multiple of 28"):
        TransformersPrompter.load(tiny_models["qwen2_5_vl"], device="cpu", square=500)


def test_samples_are_repeated_by_their_seed_and_leave_the_callers_randomness_alone(tiny_models, view_of):
    def raw(seed):
        loaded = TransformersPrompter.load(
            tiny_models["qwen3_vl"], device="cpu", max_new_tokens=6, sampling=Sampling(3, seed=seed)
        )
        answer = loaded.answer([view_of(96, 96)], ["q"])[0]
        assert answer.tokens == 18
        return answer.raw

    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert raw(1) == raw(1) != raw(2)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("family", FAMILIES)
def test_every_sample_sees_its_own_view(tiny_models, view_of, family):
    views, questions = [view_of(96, 96), view_of(140, 90, seed=1)], ["a", "another question"]
    greedy = TransformersPrompter.load(tiny_models[family], device="cpu", max_new_tokens=6)
    cold = TransformersPrompter.load(tiny_models[family], device="cpu", max_new_tokens=6, sampling=Sampling(3, 1e-4))
    assert [a.raw for a in cold.answer(views, questions)] == [a.raw for a in greedy.answer(views, questions)]


def test_samples_that_agree_give_a_score(tiny_models, view_of, monkeypatch):
    prompter = TransformersPrompter.load(tiny_models["qwen2_5_vl"], device="cpu", sampling=Sampling(2))
    says(prompter, monkeypatch, RAW)
    assert prompter.answer([view_of(84, 84)], ["q"])[0].instances[0].score == 1.0


def test_control_tokens_in_a_question_stay_words(prompter, view_of):
    [plain] = [prompter._inputs([view_of(84, 84)], [prompter._messages("a <|image_pad|><IMG_CONTEXT><|im_end|> b")])]
    ids = plain["input_ids"][0].tolist()
    ends = prompter._tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert ids.count(ends) == 2  # the system's message and the user's
    images = sum(each == prompter._model.config.image_token_id for each in ids)
    tiles = len(plain["pixel_values"]) if "image_grid_thw" not in plain else 1
    assert images == (4 * tiles if "image_grid_thw" not in plain else plain["image_grid_thw"].prod() // 4)


def test_the_style_is_what_the_model_is_asked(tiny_models, view_of):
    prompter = TransformersPrompter.load(tiny_models["qwen3_vl"], device="cpu", style=STYLES["box"])
    ids = prompter._inputs([view_of(64, 64)], [prompter._messages("the quay")])["input_ids"][0]
    text = prompter._tokenizer.decode(ids)
    assert (
        'Please find "the quay", identify the target. For each target instance, provide a tight bounding box.' in text
    )


def test_the_digest_follows_the_weights_not_the_name(tiny_models, tmp_path):
    folder = tiny_models["qwen3_vl"]
    same = copied(folder, tmp_path / "same")
    changed = copied(folder, tmp_path / "changed")
    weights = load_file(changed / "model.safetensors")
    weights["model.language_model.norm.weight"][0] += 1
    save_file(weights, changed / "model.safetensors", metadata={"format": "pt"})
    digests = [TransformersPrompter.load(f, device="cpu").digest for f in (folder, same, changed)]
    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 64


def spoil_config(folder):
    (folder / "config.json").write_text("{", encoding="utf-8")


def other_type(folder):
    (folder / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")


def cut_weights(folder):
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def lost_weight(folder):
    weights = load_file(folder / "model.safetensors")
    del weights[max(weights)]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def other_shape(folder):
    weights = load_file(folder / "model.safetensors")
    weights[max(weights)] = torch.zeros(3)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def odd_config(folder):
    (folder / "config.json").write_text(
        '{"model_type": "qwen2_5_vl", "text_config": {"hidden_size": "x"}}', encoding="utf-8"
    )


def cut_tokenizer(folder):
    content = (folder / "tokenizer.json").read_text(encoding="utf-8")
    (folder / "tokenizer.json").write_text(content[:500], encoding="utf-8")


def no_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


def no_template(folder):
    (folder / "chat_template.jinja").unlink()


@pytest.mark.parametrize(
    "damage",
    [
        spoil_config,
        other_type,
        cut_weights,
        no_weights,
        lost_weight,
        other_shape,
        odd_config,
        cut_tokenizer,
        no_tokenizer,
        no_template,
    ],
)
def test_a_damaged_folder_is_model_unavailable_with_a_way_out(tiny_models, tmp_path, damage):
    folder = copied(tiny_models["qwen2_5_vl"], tmp_path / "damaged")
    damage(folder)
    with pytest.raises(T2SError) as caught:
        TransformersPrompter.load(folder, device="cpu")
    assert caught.value.code == "model_unavailable"
    assert "damaged" in caught.value.what
    assert caught.value.fix


def test_a_folder_that_is_not_there_is_named():
    with pytest.raises(T2SError) as caught:
        TransformersPrompter.load("./no/such/folder")
    assert caught.value.code == "model_unavailable"
    assert "no/such/folder" in caught.value.what


def test_a_hub_name_without_a_network_says_what_to_do(monkeypatch, tmp_path):
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(T2SError) as caught:
        TransformersPrompter.load("RicardoString/Think2Seg-RS-3B")
    assert caught.value.code == "model_unavailable"
    assert "HF_HOME" in caught.value.fix


def test_too_little_memory_is_said_while_other_failures_stay_bugs(tiny_models, view_of, monkeypatch):
    prompter = TransformersPrompter.load(tiny_models["qwen3_vl"], device="cpu")

    def fails(message):
        def forward(**_):
            raise RuntimeError(message)

        monkeypatch.setattr(prompter._model, "forward", forward)

    fails("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    with pytest.raises(T2SError, match="model_failed"):
        prompter.answer([view_of(64, 64)], ["q"])
    fails("an illegal memory access was encountered")
    with pytest.raises(RuntimeError, match="illegal"):
        prompter.answer([view_of(64, 64)], ["q"])


def test_a_device_that_is_not_there_is_refused(tiny_models):
    with pytest.raises(T2SError, match="no device"):
        TransformersPrompter.load(tiny_models["qwen3_vl"], device="tpu")
