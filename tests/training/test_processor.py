"""The processor that TRL calls gives what the product gives: compared for every family, tensor by tensor."""

import json
import shutil

import pytest
import torch
from trl.data_utils import apply_chat_template, prepare_multimodal_messages

from t2s_agent.errors import T2SError
from t2s_agent.prompting.frames import Size
from t2s_agent.prompting.inputs import picture_of
from t2s_agent.prompting.local import TransformersPrompter
from t2s_agent.prompting.style import DEFAULT_STYLE
from training.policy import open_policy
from training.processor import require_whole_view
from training.recipe import Policy

NAMES = ("qwen2_5_vl", "qwen3_vl", "internvl", "nano")
QUESTIONS = ("the tank", "a question that is a good deal longer than the first one")


@pytest.fixture(scope="module", params=NAMES)
def name(request, tiny_models):
    return str(tiny_models.get(request.param, request.param))


@pytest.fixture(scope="module")
def opened(name):
    return open_policy(Policy(name=name, dtype="float32"), device="cpu")


@pytest.fixture(scope="module")
def served(opened):
    """What the product gives the same model."""
    return TransformersPrompter.load(opened.folder, device="cpu", dtype="float32")


@pytest.fixture
def views(view_of):
    return [view_of(120, 84), view_of(84, 140, seed=1)]


def prompts(views):
    """The prompts as TRL holds them: the dataset's messages, with the picture of the column `image` put in."""
    return [
        prepare_multimodal_messages(
            [
                {"role": "system", "content": DEFAULT_STYLE.system},
                {"role": "user", "content": DEFAULT_STYLE.user(question)},
            ],
            images=[picture_of(view)],
        )
        for view, question in zip(views, QUESTIONS, strict=True)
    ]


def test_a_batch_for_the_loss_equals_the_products_inputs_bit_for_bit(opened, served, views):
    expected = served._inputs(views, [served._messages(question) for question in QUESTIONS])
    texts = [apply_chat_template({"prompt": prompt}, opened.processor)["prompt"] for prompt in prompts(views)]
    images = [[picture_of(view)] for view in views]
    made = opened.processor(images=images, text=texts, padding=True, return_tensors="pt")
    assert made.keys() == expected.keys()
    for key, tensor in expected.items():
        assert torch.equal(made[key], tensor), key
        assert made[key].dtype == tensor.dtype


def test_rollouts_get_the_same_tokens_without_padding(opened, served, views):
    made = opened.processor.apply_chat_template(
        conversation=prompts(views), add_generation_prompt=True, tokenize=True, return_dict=True
    )
    expected = served._inputs(views, [served._messages(question) for question in QUESTIONS])
    kept = expected["attention_mask"].bool()
    for row, ids in enumerate(made["input_ids"]):
        assert ids == expected["input_ids"][row][kept[row]].tolist()
    for row, types in enumerate(made.get("mm_token_type_ids", ())):
        assert types == expected["mm_token_type_ids"][row][kept[row]].tolist()
    for key in expected.keys() & {"pixel_values", "image_grid_thw"}:
        assert torch.equal(made[key], expected[key])


def test_answers_are_padded_on_the_right_where_that_is_asked_for(opened):
    texts = ["<answer>", "<answer> a longer one </answer>"]
    left, right = (
        opened.processor(text=texts, padding=True, padding_side=side, return_tensors="pt") for side in ("left", "right")
    )
    assert right["attention_mask"][0].tolist() == sorted(right["attention_mask"][0].tolist(), reverse=True)
    assert right["attention_mask"][0].tolist() != left["attention_mask"][0].tolist()
    for row in range(2):
        own = (each["input_ids"][row][each["attention_mask"][row].bool()].tolist() for each in (left, right))
        assert next(own) == next(own)


def test_an_answers_tags_survive_decoding_and_the_end_token_does_not(opened):
    tokenizer = opened.processor.tokenizer
    text = "<think>two</think>\n<answer>[]</answer>"
    [end] = tokenizer("<|im_end|>", add_special_tokens=False)["input_ids"]
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    padded = torch.tensor([[*ids, end, tokenizer.pad_token_id], [tokenizer.pad_token_id, *ids, end]])
    expected = tokenizer.decode(ids, skip_special_tokens=False)
    assert opened.processor.batch_decode(padded, skip_special_tokens=True) == [expected, expected]
    assert "<answer>" in expected


def test_padding_that_is_an_end_token_too_hides_nothing(tiny_models, tmp_path):
    """As in the settings that Qwen publishes."""
    folder = shutil.copytree(tiny_models["qwen2_5_vl"], tmp_path / "both")
    settings = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    both = [settings["eos_token_id"], settings["pad_token_id"]]
    (folder / "generation_config.json").write_text(json.dumps({**settings, "eos_token_id": both}), encoding="utf-8")
    processor = open_policy(Policy(name=str(folder), dtype="float32"), device="cpu").processor
    [end, pad] = both
    assert processor.batch_decode([[pad, pad, 1, 2, end], [1, 2, pad, pad, pad]]) == [processor.decode([1, 2])] * 2
    assert len(processor.decode([1, 2])) == 2


def test_pictures_alone_are_resized_as_with_their_text(opened, views):
    """TRL asks the image processor alone for the pictures of tools."""
    alone = opened.processor.image_processor(images=[picture_of(view) for view in views], return_tensors="pt")
    expected = opened.processor.builder.pixels([picture_of(view) for view in views]).tensors
    assert torch.equal(alone["pixel_values"], expected["pixel_values"])


def test_an_image_token_inside_a_question_is_refused(opened, views):
    token = opened.processor.image_token
    with pytest.raises(T2SError, match="2 image tokens in the chats"):
        opened.processor(images=[picture_of(views[0])], text=[f"{token} and {token}"])


def test_a_saved_processor_is_opened_by_the_product_with_the_same_frame(opened, views, tmp_path):
    opened.processor.save_pretrained(tmp_path)
    opened.checkpoint.model.save_pretrained(tmp_path)
    again = TransformersPrompter.load(tmp_path, device="cpu", dtype="float32")
    before = TransformersPrompter.load(opened.folder, device="cpu", dtype="float32")
    assert again.frame == before.frame
    chats = [again._messages(question) for question in QUESTIONS]
    expected = before._inputs(views, chats)
    for key, tensor in again._inputs(views, chats).items():
        assert torch.equal(tensor, expected[key]), key


@pytest.mark.parametrize(("family", "side"), [("qwen2_5_vl", 56), ("qwen3_vl", 64), ("internvl", 112)])
def test_a_recipes_square_is_saved_for_the_product(family, side, tiny_models, tmp_path):
    policy = Policy(name=str(tiny_models[family]), dtype="float32", square=side)
    opened = open_policy(policy, device="cpu")
    opened.processor.save_pretrained(tmp_path)
    opened.checkpoint.model.save_pretrained(tmp_path)
    again = TransformersPrompter.load(tmp_path, device="cpu")
    view = Size(300, 100)
    assert again._rule.picture(view) == opened.processor.rule.picture(view) == Size(side, side)
    assert again._rule.frame(view) == opened.processor.rule.frame(view)


def test_a_view_that_the_processor_would_resize_is_refused(tiny_models):
    tiny = {name: open_policy(Policy(name=str(folder)), device="cpu") for name, folder in tiny_models.items()}
    require_whole_view(tiny["qwen2_5_vl"].processor, 840)
    with pytest.raises(T2SError, match="832 x 832 px of a view of 840 px: the frame would be wrong"):
        require_whole_view(tiny["qwen3_vl"].processor, 840)


def test_tiles_are_counted_for_trl_when_it_asks(tiny_models, view_of):
    policy = open_policy(Policy(name=str(tiny_models["internvl"])), device="cpu")
    pictures = [[picture_of(view_of(56, 56))], [picture_of(view_of(112, 112))], [picture_of(view_of(56, 170))]]
    made = policy.processor.image_processor(images=pictures, crop_to_patches=True, return_tensors="pt")
    assert made["num_patches"].tolist() == [1, 4 + 1, 3 + 1]
    assert len(made["pixel_values"]) == 10
