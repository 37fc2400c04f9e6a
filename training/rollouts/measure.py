"""Measures a step of rollouts and gradients: plain TRL beside shared prompts, on the same machine, in one run.

    python -m training.rollouts.measure                        # nano on this machine's CPU
    python -m training.rollouts.measure --shape 3b --device cuda  # random weights of Qwen2.5-VL-3B's shape, bfloat16

A step is what GRPO does with one group: completions are drawn, scored without gradients twice (by the old policy and by the reference) and
once with gradients, and the loss is run backwards. Left out: rewards, the optimizer, and TRL's preparation of pictures.
`plain` calls what TRL calls: transformers' `generate` on G equal rows, and TRL's `_get_per_token_logps_and_entropies`. All completions
get the same number of tokens, because the end token is suppressed. A small model draws with one thread, in both ways; the rest of a step
uses all threads.
"""

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from trl import GRPOTrainer
from trl.trainer.utils import add_fused_lm_head

from t2s_agent.models import nano_folder
from t2s_agent.prompting.checkpoint import open_checkpoint
from t2s_agent.threads import threads, threads_for
from training.rollouts.generation import generate
from training.rollouts.scoring import log_probs

WORDS = {
    "nano": 20,
    "3b": 200,
}  # tokens of text around the picture: about those of the box_2_points style with each vocabulary


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """One prompt with one picture, as a model's inputs: ids (1, P), patches (N, D), grid (1, 3)."""

    ids: Tensor
    patches: Tensor
    grid: Tensor

    def inputs(self, rows: int) -> dict[str, Tensor]:
        """For so many equal rows."""
        return {
            "input_ids": self.ids.repeat(rows, 1),
            "attention_mask": torch.ones_like(self.ids).repeat(rows, 1),
            "pixel_values": self.patches.repeat(rows, 1),
            "image_grid_thw": self.grid.repeat(rows, 1),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """A group's prompts and completions: ids (G, P + T)."""

    ids: Tensor
    keep: int
    prompt: Prompt


Draw = Callable[[Any, Prompt, int, GenerationConfig], Tensor]
Score = Callable[[Any, Batch], Tensor]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to do a step: how completions are drawn (G, T), and how they are scored (G, T)."""

    name: str
    draw: Draw
    score: Score


def _draw_plain(model: Any, prompt: Prompt, group: int, config: GenerationConfig) -> Tensor:
    inputs = prompt.inputs(group)
    types = (inputs["input_ids"] == model.config.image_token_id).int()
    written: Tensor = model.generate(**inputs, mm_token_type_ids=types, generation_config=config)
    return written[:, prompt.ids.shape[1] :]


def _score_plain(model: Any, batch: Batch) -> Tensor:
    trainer = SimpleNamespace(accelerator=SimpleNamespace(autocast=contextlib.nullcontext))
    inputs = batch.prompt.inputs(len(batch.ids))
    scores: Tensor = GRPOTrainer._get_per_token_logps_and_entropies.__wrapped__(
        trainer,
        model,
        batch.ids,
        torch.ones_like(batch.ids),
        batch.keep,
        compute_entropy=True,
        pixel_values=inputs["pixel_values"],
        image_grid_thw=inputs["image_grid_thw"],
        num_images=[1] * len(batch.ids),
        mm_token_type_ids=(batch.ids == model.config.image_token_id).int(),
    )[0]
    return scores


def _draw_shared(model: Any, prompt: Prompt, group: int, config: GenerationConfig) -> Tensor:
    return torch.tensor(generate(model, prompt.inputs(group), config), device=prompt.ids.device)


def _score_shared(model: Any, batch: Batch) -> Tensor:
    inputs = batch.prompt.inputs(len(batch.ids))
    return log_probs(
        model,
        batch.ids,
        torch.ones_like(batch.ids),
        batch.keep,
        pixel_values=inputs["pixel_values"],
        image_grid_thw=inputs["image_grid_thw"],
        num_images=[1] * len(batch.ids),
    ).log_probs


WAYS = (Way("plain", _draw_plain, _score_plain), Way("shared", _draw_shared, _score_shared))


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """Seconds of the parts of a step, the largest memory in bytes meanwhile, and what was drawn and scored."""

    draw: float
    score: float
    update: float
    memory: int
    completions: Tensor
    log_probs: Tensor

    @property
    def seconds(self) -> float:
        """The whole step."""
        return self.draw + self.score + self.update


def step(
    model: Any, way: Way, prompt: Prompt, group: int, config: GenerationConfig, completions: Tensor | None
) -> Step:
    """Runs one step from seed 0. `completions` (G, T), where given, are scored instead of those drawn, so that ways can be compared."""
    with _peak(prompt.ids.device) as memory:
        model.zero_grad()
        torch.manual_seed(0)
        with torch.no_grad(), _small(model):
            drawn, draw = _timed(lambda: way.draw(model, prompt, group, config))
        scored = drawn if completions is None else completions
        batch = Batch(torch.cat([prompt.ids.repeat(group, 1), scored], 1), scored.shape[1], prompt)
        with torch.no_grad():
            _, score = _timed(lambda: [way.score(model, batch) for _ in range(2)])
        logps, update = _timed(lambda: _update(model, way, batch))
    return Step(draw, score, update, memory[0], drawn, logps.detach())


def _small(model: Any) -> contextlib.AbstractContextManager[None]:
    """One thread for the tokens of a small model on a CPU."""
    return threads(threads_for(model))


def _update(model: Any, way: Way, batch: Batch) -> Tensor:
    logps = way.score(model, batch)
    advantages = torch.linspace(-1, 1, len(logps), device=logps.device)[:, None]
    (-(torch.exp(logps - logps.detach()) * advantages).mean()).backward()
    return logps


def _timed(run: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    result = run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return result, time.perf_counter() - began


@contextlib.contextmanager
def _peak(device: torch.device) -> Iterator[list[int]]:
    """A list that gets the largest memory within: of the GPU's allocator, or of the process (Linux)."""
    found: list[int] = []
    resident = Path("/proc/self/status")
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif resident.exists():
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets VmHWM
    yield found
    if device.type == "cuda":
        found.append(torch.cuda.max_memory_allocated())
    elif resident.exists():
        [line] = [line for line in resident.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM")]
        found.append(int(line.split()[1]) * 1024)
    else:
        found.append(0)


def nano() -> tuple[Any, Prompt]:
    """nano, with a picture of noise of 448 x 448 px."""
    return (model := open_checkpoint(str(nano_folder("prompter")), device="cpu").model), prompt_for(
        model, 28, 28, WORDS["nano"]
    )


def shape_of_3b(device: str) -> tuple[Any, Prompt]:
    """Random weights in bfloat16 of the shape of Qwen2.5-VL-3B, with the paper's 840 x 840 px."""
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": 151936,
            "hidden_size": 2048,
            "intermediate_size": 11008,
            "num_hidden_layers": 36,
            "num_attention_heads": 16,
            "num_key_value_heads": 2,
            "max_position_embeddings": 128000,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1_000_000.0, "mrope_section": [16, 24, 24]},
            "tie_word_embeddings": True,
            "pad_token_id": 151643,
            "eos_token_id": 151645,
            "bos_token_id": None,
        },
        vision_config={
            "depth": 32,
            "hidden_size": 1280,
            "intermediate_size": 3420,
            "num_heads": 16,
            "out_hidden_size": 2048,
            "patch_size": 14,
            "window_size": 112,
            "fullatt_block_indexes": [7, 15, 23, 31],
        },
        image_token_id=151655,
        video_token_id=151656,
        vision_start_token_id=151652,
        vision_end_token_id=151653,
        tie_word_embeddings=True,
    )
    with torch.device(device):
        model = Qwen2_5_VLForConditionalGeneration._from_config(config, dtype=torch.bfloat16)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    return model, prompt_for(model, 60, 60, WORDS["3b"])


def prompt_for(model: Any, rows: int, columns: int, words: int) -> Prompt:
    """`words` tokens of noise around a picture of noise with so many rows and columns of patches."""
    config, vision = model.config, model.config.vision_config
    text = torch.randint(0, 250, (words,), generator=torch.Generator().manual_seed(1))
    image = torch.full((rows * columns // vision.spatial_merge_size**2,), config.image_token_id)
    start, end = torch.tensor([config.vision_start_token_id]), torch.tensor([config.vision_end_token_id])
    ids = torch.cat([text[:10], start, image, end, text[10:]])[None]
    width = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
    patches = torch.randn(rows * columns, width, generator=torch.Generator().manual_seed(2))
    device = model.device
    return Prompt(ids.to(device), patches.to(device, model.dtype), torch.tensor([[1, rows, columns]], device=device))


def measure(model: Any, prompt: Prompt, *, group: int, tokens: int, repeats: int) -> dict[str, list[Step]]:
    """`repeats` steps of each way in turn, after one of each that is not counted. Scored are the plain way's completions."""
    add_fused_lm_head(model, outputs=("log_probs", "entropy"))
    model.train()
    config = _settings(model, tokens)
    done: dict[str, list[Step]] = {way.name: [] for way in WAYS}
    completions: Tensor | None = None
    for repeat in range(repeats + 1):
        for way in WAYS:
            made = step(model, way, prompt, group, config, completions)
            completions = made.completions if completions is None else completions
            done[way.name] += [made] if repeat else []
    return done


def _settings(model: Any, tokens: int) -> GenerationConfig:
    """Samples exactly `tokens` tokens, none of which is an end or an image."""
    text, config = model.config.text_config, model.config
    return GenerationConfig(
        max_new_tokens=tokens,
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        eos_token_id=text.eos_token_id,
        pad_token_id=text.pad_token_id,
        suppress_tokens=[config.image_token_id, config.video_token_id, text.eos_token_id],
    )


def table(done: dict[str, list[Step]], group: int, tokens: int) -> str:
    """The steps of median duration, side by side, and how far the two ways agree."""
    lines = [
        f"{'':8}{'draw s':>9}{'score s':>9}{'update s':>10}{'step s':>9}{'rollouts/s':>12}{'tokens/s':>10}{'peak MB':>9}"
    ]
    middle = {name: sorted(steps, key=lambda each: each.seconds)[len(steps) // 2] for name, steps in done.items()}
    for name, one in middle.items():
        rates = f"{group / one.draw:12.2f}{group * tokens / one.draw:10.0f}{one.memory / 1e6:9.0f}"
        lines.append(f"{name:8}{one.draw:9.2f}{one.score:9.2f}{one.update:10.2f}{one.seconds:9.2f}{rates}")
    plain, shared = middle["plain"], middle["shared"]
    ratios = [getattr(plain, part) / getattr(shared, part) for part in ("draw", "score", "update", "seconds")]
    lines.append(f"{'ratio':8}{ratios[0]:9.1f}{ratios[1]:9.1f}{ratios[2]:10.1f}{ratios[3]:9.1f}")
    equal = (plain.completions == shared.completions).float().mean()
    off = (plain.log_probs - shared.log_probs).abs().max()
    lines.append(f"tokens drawn alike: {equal:.1%}; largest difference of a log-probability: {off:.1e}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the options and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=("nano", "3b"), default="nano")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="for --shape 3b")
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=130)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    model, prompt = nano() if options.shape == "nano" else shape_of_3b(options.device)
    done = measure(model, prompt, group=options.group, tokens=options.tokens, repeats=options.repeats)
    versions = ", ".join(f"{name} {version(name)}" for name in ("trl", "transformers", "torch"))
    what = f"{options.shape} on {model.device}: {options.group} completions of {options.tokens} tokens"
    print(
        f"{what}, prompt of {prompt.ids.shape[1]}; {torch.get_num_threads()} threads; {versions}; medians of {options.repeats}"
    )
    print(table(done, options.group, options.tokens))


if __name__ == "__main__":
    main()
