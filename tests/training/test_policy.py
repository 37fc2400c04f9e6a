"""Opening the model that is trained: adapters where they belong, a tower that stays as it is, and refusals by name."""

import json
import shutil

import pytest
import torch
from trl.trainer.utils import create_model_from_path

from t2s_agent.errors import T2SError
from t2s_agent.prompting.inputs import chat_of
from t2s_agent.prompting.style import DEFAULT_STYLE
from training.policy import open_policy, vision_of
from training.recipe import Lora, Policy

FAMILIES = ("qwen2_5_vl", "qwen3_vl", "internvl")
IN_LANGUAGE = 2 * 7  # linear layers of two blocks: q, k, v, o, gate, up, down


def opened(folder, **settings):
    return open_policy(Policy(name=str(folder), **{"dtype": "float32", **settings}), device="cpu")


def adapters(model):
    """The layers with an adapter."""
    return {name.split(".lora_A.")[0] for name, _ in model.named_parameters() if ".lora_A." in name}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_is_opened_by_its_model_type(family, tiny_models):
    policy = opened(tiny_models[family], dtype="bfloat16", attention="eager")
    assert policy.family == family
    assert policy.folder == tiny_models[family]
    assert policy.model is policy.checkpoint.model
    assert policy.model.dtype == torch.bfloat16
    assert policy.model.config._attn_implementation == "eager"
    assert all(each.requires_grad for each in policy.model.parameters())


def test_nano_is_this_packages_own():
    policy = open_policy(Policy(name="nano"), device="cpu")
    assert (policy.name, policy.family) == ("nano", "qwen3_vl")
    assert str(policy.processor.rule) == "0 to 1000 along both axes"


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_are_in_the_language_model_only(family, tiny_models):
    policy = opened(tiny_models[family], lora=Lora(rank=2))
    named = adapters(policy.model)
    assert len(named) == IN_LANGUAGE
    assert all(".language_model.layers." in name for name in named)
    trained = [name for name, each in policy.model.named_parameters() if each.requires_grad]
    assert trained
    assert all(".lora_" in name for name in trained)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tower_gets_adapters_when_asked(family, tiny_models):
    policy = opened(tiny_models[family], lora=Lora(rank=2, vision=True))
    in_tower = {
        "qwen2_5_vl": 2 * (2 + 3) + 2,  # blocks: qkv, proj, three of the MLP; the merger
        "qwen3_vl": 2 * (2 + 2) + 2 * 2,  # blocks; the merger, and that of the deep features
        "internvl": 2 * (4 + 2) + 2,  # blocks: q, k, v, o, two of the MLP; the projector
    }
    assert len(adapters(policy.model)) == IN_LANGUAGE + in_tower[family]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_frozen_tower_gets_no_gradient_and_the_rest_trains(family, tiny_models):
    policy = opened(tiny_models[family], freeze_vision=True)
    assert not any(each.requires_grad for part in vision_of(policy.model) for each in part.parameters())
    assert all(each.requires_grad for each in policy.model.model.language_model.parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_get_gradients_with_gradient_checkpointing(family, tiny_models, view_of):
    policy = opened(tiny_models[family], lora=Lora(rank=2))
    policy.model.enable_input_require_grads()  # as TRL does
    policy.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    policy.model.train()
    inputs = policy.processor.builder.build([view_of(84, 84)], [chat_of(DEFAULT_STYLE, "q")])
    policy.model(**inputs).logits.float().logsumexp(-1).sum().backward()
    got = [each.grad.abs().sum() > 0 for name, each in policy.model.named_parameters() if ".lora_B." in name]
    assert len(got) == IN_LANGUAGE
    assert all(got)


def test_a_reference_is_loaded_from_the_start_folder(tiny_models):
    """TRL makes it from the config's path."""
    policy = opened(tiny_models["qwen3_vl"])
    with torch.no_grad():
        policy.model.lm_head.weight.add_(1.0)
    reference = create_model_from_path(policy.model.config._name_or_path, dtype=torch.float32)
    fresh = opened(tiny_models["qwen3_vl"]).model
    assert torch.equal(reference.lm_head.weight, fresh.lm_head.weight)


def test_a_square_is_the_checkpoints_rule(tiny_models):
    assert str(opened(tiny_models["qwen2_5_vl"], square=840).processor.rule) == "pixels of a 840 x 840 square"
    with pytest.raises(T2SError, match="Choose a multiple of 28 px") as told:
        opened(tiny_models["qwen2_5_vl"], square=500)
    assert told.value.code == "argument_invalid"


def test_a_processor_of_another_model_is_refused_by_name(tiny_models, tmp_path):
    folder = shutil.copytree(tiny_models["qwen3_vl"], tmp_path / "mixed")
    settings = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    (folder / "preprocessor_config.json").write_text(json.dumps({**settings, "patch_size": 14}), encoding="utf-8")
    with pytest.raises(
        T2SError, match=r"the image processor of .*mixed cuts patches of .14, 2, 2., its model.*frame would be wrong"
    ):
        opened(folder)


def test_a_family_that_is_not_known_is_refused_by_name(tiny_models, tmp_path):
    folder = shutil.copytree(tiny_models["qwen3_vl"], tmp_path / "other")
    (folder / "config.json").write_text('{"model_type": "gpt2"}', encoding="utf-8")
    with pytest.raises(T2SError, match="is of type 'gpt2'"):
        opened(folder)


def test_a_name_that_is_neither_folder_nor_hub_name_is_refused():
    with pytest.raises(T2SError, match="there is no model folder 'nanoo'"):
        open_policy(Policy(name="nanoo"), device="cpu")


def test_an_attention_that_is_not_installed_is_refused(tiny_models):
    with pytest.raises(T2SError, match=r"flash-attention 2 is not installed here.*policy.attention=sdpa") as told:
        opened(tiny_models["qwen3_vl"], attention="flash_attention_2")
    assert told.value.code == "model_unavailable"


def test_a_folder_of_adapters_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(T2SError, match="holds adapters, not a model"):
        opened(tmp_path)


def test_adapters_in_a_frozen_tower_are_a_contradiction():
    with pytest.raises(ValueError, match="freeze_vision"):
        Policy(name="nano", freeze_vision=True, lora=Lora(vision=True))


def test_internvl_in_its_first_layout_is_refused_with_the_name_of_the_other(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "internvl_chat"}', encoding="utf-8")
    with pytest.raises(T2SError, match="ends in -hf"):
        opened(tmp_path)
