"""The estimate of memory: its parts against tensors of real (tiny) models, and who is refused."""

import pytest
import torch
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

from t2s_agent.errors import T2SError
from training.memory import Shape, Sharing, estimate, free_bytes, require_memory
from training.policy import open_policy
from training.recipe import FOLDER, load_recipe

FAMILIES = ("qwen2_5_vl", "qwen3_vl", "internvl")
GIB = 2**30
# the published sizes of Qwen2.5-VL-3B: 3.75 billion weights, of which 0.67 billion are the tower's
THREE_B = Shape(3_754_622_976, 668_700_000, 2048, 4 * 2048 + 4 * 256 + 3 * 11008, 256, 36, 36 * 51_968, 28)


def recipe(folder="x", changes=(), name="nano"):
    return load_recipe(name, [f"policy.name={folder}", "policy.freeze_vision=false", *changes])


def opened(folder, **settings):
    return open_policy(recipe(folder).policy.model_copy(update=settings), device="cpu")


def size(tensors):
    return sum(each.numel() * each.element_size() for each in tensors)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("changes", [[], ["policy.lora={rank: 4}"], ["policy.freeze_vision=true"]])
def test_weights_gradients_and_moments_are_those_of_a_real_step(family, changes, tiny_models):
    made = recipe(tiny_models[family], changes)
    memory = estimate(made, Shape.of(tiny_models[family]))
    policy = open_policy(made.policy, device="cpu")
    trained = [each for each in policy.model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained)
    sum((each.float() ** 2).sum() for each in trained).backward()
    optimizer.step()
    moments = [each[name] for each in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]
    assert memory.gradients == size(each.grad for each in trained)
    assert memory.optimizer == size(moments)
    adapters = size(trained) if made.policy.lora else 0
    assert memory.weights == size(policy.model.parameters()) - adapters
    assert memory.reference == (0 if made.policy.lora else memory.weights)


@pytest.mark.parametrize("family", FAMILIES)
def test_keys_and_values_are_those_of_a_real_cache(family, tiny_models):
    policy, shape = opened(tiny_models[family]), Shape.of(tiny_models[family])
    with torch.no_grad():
        cache = policy.model(input_ids=torch.arange(10)[None], use_cache=True).past_key_values
    held = size(each for layer in cache.layers for each in (layer.keys, layer.values))
    assert held == 10 * 2 * shape.key_value * shape.layers * 4


def test_the_published_3b_run_has_the_memory_that_arithmetic_says():
    made = recipe(name="think2seg-3b")
    memory = estimate(made, THREE_B, 2, Sharing(2, 2, 2, deepspeed=True))
    assert memory.weights / GIB == pytest.approx(3.754622976 * 2 / 2 * 1e9 / GIB)
    assert memory.reference == memory.gradients == memory.weights
    assert (
        memory.optimizer == 6 * memory.weights
    )  # 12 bytes a weight: two moments and a copy of the weights, in float32
    tokens = 30 * 30 + 200 + 1024
    assert memory.answers == max(32 * tokens * 36_864, 16 * tokens * 2 * (36 * 2048 + 42_240))
    assert memory.certain < memory.full


def test_supervised_training_needs_no_reference():
    made = recipe(name="think2seg-3b")
    memory = estimate(made, THREE_B, supervised=True)
    assert memory.reference == 0
    assert memory.weights == estimate(made, THREE_B).reference


def test_fsdp_holds_what_is_trained_in_float32():
    memory = estimate(recipe(name="think2seg-3b"), THREE_B, 2, Sharing(2, 2, 2, fsdp=True))
    assert memory.weights == memory.gradients == 2 * memory.reference == memory.optimizer / 2 == 2 * THREE_B.weights


def test_adapters_and_no_reference_need_less():
    whole, adapted = (
        estimate(recipe(changes=each, name="think2seg-3b"), THREE_B) for each in ([], ["policy.lora.rank=32"])
    )
    no_kl = estimate(recipe(name="think2seg-3b", changes=["objective.beta=0"]), THREE_B)
    assert adapted.certain < 10 * GIB < no_kl.certain < whole.certain


@pytest.mark.parametrize(
    ("variables", "shared"),
    [
        ({}, Sharing(1, 1, 1)),
        ({"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "2"}, Sharing(1, 4, 4, True)),
        ({"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}, Sharing(4, 4, 4, True)),
        (
            {
                "ACCELERATE_USE_DEEPSPEED": "true",
                "ACCELERATE_DEEPSPEED_ZERO_STAGE": "2",
                "ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE": "cpu",
            },
            Sharing(1, 0, 0, True),
        ),
        ({"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_CONFIG_FILE": "ds.json"}, Sharing(0, 0, 0, True)),
        ({"ACCELERATE_USE_FSDP": "true"}, Sharing(4, 4, 4, fsdp=True)),
        ({"ACCELERATE_USE_FSDP": "true", "FSDP_OFFLOAD_PARAMS": "true"}, Sharing(0, 0, 0, fsdp=True)),
    ],
)
def test_what_processes_share_is_what_accelerate_announces(variables, shared):
    assert Sharing.of_environment(4, variables) == shared


def test_a_run_that_fits_is_let_through_and_one_that_cannot_is_refused_with_ways_out(tiny_models):
    made = recipe(
        tiny_models["qwen2_5_vl"], ["rollout.max_new_tokens=4000", "rollout.group=64", "optimizer.per_device=64"]
    )
    memory = require_memory(made, free=10 * GIB)
    assert require_memory(made, free=memory.certain) == memory  # long answers may fit: they are rarely that long
    assert memory.full > 2 * memory.certain
    with pytest.raises(T2SError) as raised:
        require_memory(made, free=memory.certain - 1)
    assert raised.value.code == "model_unavailable"
    for part in ("policy.lora", "policy.dtype=bfloat16", "gradient_checkpointing", "objective.beta=0", "ZeRO-3"):
        assert part in raised.value.fix


def test_nano_fits_here():
    memory = require_memory(load_recipe("nano"))
    assert 0.08 < memory.certain / GIB < 0.3
    assert free_bytes() > memory.certain
    assert str(memory).startswith("memory a process: about ")


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("zero2", Sharing(1, 2, 2, deepspeed=True)),
        ("zero3", Sharing(2, 2, 2, deepspeed=True)),
        ("fsdp", Sharing(2, 2, 2, fsdp=True)),
    ],
)
def test_the_launch_files_of_the_recipes_are_read_by_accelerate_and_understood_here(name, shared):
    file = FOLDER / "accelerate" / f"{name}.yaml"
    words = ["--config_file", str(file), "-m", "training.grpo"]
    arguments, _, _ = _validate_launch_command(launch_command_parser().parse_args(words))
    assert (arguments.num_processes, arguments.mixed_precision) == (2, "bf16")
    if arguments.use_deepspeed:
        arguments.deepspeed_fields_from_accelerate_config = ""  # as launch_command sets it
        _, variables = prepare_deepspeed_cmd_env(arguments)
    else:
        variables = prepare_multi_gpu_env(arguments)
    assert Sharing.of_environment(2, variables) == shared


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (None, "config.json is missing"),
        ('{"model_type": "bert"}', "is of type 'bert'"),
        ("{", "config.json is missing or damaged"),
    ],
)
def test_a_folder_without_a_known_model_is_refused_by_name(file, says, tmp_path):
    if file is not None:
        (tmp_path / "config.json").write_text(file)
    with pytest.raises(T2SError, match=says) as caught:
        require_memory(recipe(tmp_path))
    assert caught.value.code == "model_unavailable"


def test_adapters_alone_are_refused_before_their_memory_is_estimated(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(T2SError, match="holds adapters, not a model"):
        require_memory(recipe(tmp_path))
