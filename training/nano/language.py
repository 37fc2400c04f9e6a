"""Trains nano's language side on image tokens: drawn ones first (`synthetic_tokens`), the eye's own later (`read`).

    python -m training.nano.language lookup --run runs/language --minutes 40
    python -m training.nano.language read --run runs/language --seen runs/seen --minutes 20
    python -m training.nano.language export --run runs/language --eye runs/eye --out t2s_agent/nano/prompter

A run goes on where it stopped: the folder holds weights, optimizer, step and random state.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import Qwen3VLForConditionalGeneration

from evals.questions import CATEGORIES, pick, taught
from evals.questions.choosing import EXTREMES, choosing, extreme
from evals.questions.relating import RELATIONS, relating
from training.nano import parallel, synthetic_tokens
from training.nano.dialogue import Dialogue, Sheet, Targets, Writer, ask, lay_out
from training.nano.image_tokens import NUMBERS, soft_targets
from training.nano.model import save, silent_of
from training.nano.precompute import Seen
from training.nano.semantics import Meanings
from training.nano.warm_start import start

Batch = Callable[[np.random.Generator, int], tuple[list[Targets], Tensor, Tensor]]


QUESTIONS = 3  # about an image and step: its tokens are the larger part of the cost
GLIMPSE = 12  # image tokens in such a step


def understanding(
    targets: list[Targets],
    tokens: Tensor,
    cells: Tensor,
    writer: Writer,
    rng: np.random.Generator,
    *,
    choosing_share: float,
    relating_share: float = 0.0,
    meanings: Meanings | None = None,
    held_out: bool = False,
    questions: int = 16,
) -> tuple[Tensor, Sheet]:
    """Many questions about any category, answered by what is thought of them, beside a glimpse of each image.

    With `meanings`, half of those that ask for all of a category are from there.
    """
    few = torch.from_numpy(np.sort(rng.choice(tokens.shape[1], GLIMPSE, replace=False)))
    none = np.zeros(0, np.int64)

    def draw() -> tuple[str, int, str | None]:
        category = int(rng.integers(len(CATEGORIES)))
        chance = rng.random()
        if chance < choosing_share + relating_share:
            apart = [each for each, landmark in RELATIONS.items() if landmark != CATEGORIES[category]]
            kind = _drawn(EXTREMES if chance < choosing_share else apart, rng)
            return some_of(CATEGORIES[category], kind, rng, held_out=held_out), category, kind
        if held_out:
            return pick(CATEGORIES[category], rng, held_out=True), category, None
        if meanings and rng.random() < 0.5:
            return *meanings.draw(rng), None
        return taught(CATEGORIES[category], rng), category, None

    written = []
    for each in targets:
        asked = [draw() for _ in range(questions)]
        written.append([writer.write(text, category, each, none, kind).understood for text, category, kind in asked])
    return tokens[:, few], lay_out(writer, cells[:, few], written)


def some_of(category: str, kind: str, rng: np.random.Generator, *, held_out: bool = False) -> str:
    """A question for those of a category that a kind of KINDS says."""
    if kind in EXTREMES:
        return choosing(category, kind, rng, held_out=held_out)
    return relating(category, RELATIONS[kind], rng, held_out=held_out)


def _drawn(kinds: Iterable[str], rng: np.random.Generator) -> str:
    return str(rng.choice(list(kinds)))


def dialogues(
    targets: list[Targets],
    writer: Writer,
    rng: np.random.Generator,
    *,
    choosing_share: float,
    relating_share: float = 0.0,
    held_out: bool = False,
) -> list[list[Dialogue]]:
    """`QUESTIONS` an image, drawn from the bank.

    `choosing_share` ask for one object where it stands out among several, `relating_share` for those that are near something else.
    """
    written: list[list[Dialogue]] = []
    for each in targets:
        row = []
        for _ in range(QUESTIONS):
            category, asked = ask(each, rng)
            name = CATEGORIES[category]
            chance = rng.random()
            kind = None
            if chance < choosing_share:
                kind = _drawn(EXTREMES, rng)
                if len(asked) > 1:
                    one = extreme(kind, each.numbers[asked])
                    asked, kind = (asked, None) if one is None else (asked[one : one + 1], kind)
            elif chance < choosing_share + relating_share:
                kind, asked = near_something(each, category, asked, rng)
            question = some_of(name, kind, rng, held_out=held_out) if kind else _plain(name, rng, held_out)
            dialogue = writer.write(question, category, each, asked, kind)
            row.append(writer.stretched(dialogue, rng) if rng.random() < 0.5 else dialogue)
        written.append(row)
    return written


def _plain(name: str, rng: np.random.Generator, held_out: bool) -> str:
    return pick(name, rng, held_out=True) if held_out else taught(name, rng)


def near_something(
    targets: Targets, category: int, asked: NDArray[np.int64], rng: np.random.Generator
) -> tuple[str, NDArray[np.int64]]:
    """A relation, preferably one that is true of some of those asked for and not of all, and for which it is true."""
    relations = [kind for kind, landmark in RELATIONS.items() if landmark != CATEGORIES[category]]
    shares = [targets.near[asked, CATEGORIES.index(RELATIONS[kind])].mean() if len(asked) else 0 for kind in relations]
    telling = [kind for kind, share in zip(relations, shares, strict=True) if 0 < share < 1]
    true = [kind for kind, share in zip(relations, shares, strict=True) if share == 1]
    chance = rng.random()
    kind = _drawn(telling if telling and chance < 0.6 else true if true and chance < 0.8 else relations, rng)
    return kind, asked[targets.near[asked, CATEGORIES.index(RELATIONS[kind])]]


def forward(model: Qwen3VLForConditionalGeneration, tokens: Tensor, sheet: Sheet) -> Tensor:
    """Hidden states (M, WIDTH) before each answer token of a sheet whose images are the tokens (B, K, WIDTH)."""
    embeds = model.get_input_embeddings()(sheet.ids)
    embeds = torch.cat([embeds[:, : sheet.image.start], tokens.to(embeds), embeds[:, sheet.image.stop :]], dim=1)
    with torch.autocast("cpu", torch.bfloat16):
        hidden: Tensor = model.model.language_model(
            inputs_embeds=embeds, position_ids=sheet.places, attention_mask=sheet.mask, use_cache=False
        )[0]
    return hidden[sheet.at[:, 0], sheet.at[:, 1]].float()


def loss_of(
    model: Qwen3VLForConditionalGeneration, writer: Writer, tokens: Tensor, sheet: Sheet
) -> tuple[Tensor, dict[str, float]]:
    """Cross entropy over the answers; a number's target is a Gaussian over its neighbours.

    The figures, all teacher-forced: loss; share of categories, of cells and of other words that are right; how often an answer
    that ought to end does; mean error of the numbers (0..1000).
    """
    logits = forward(model, tokens, sheet) @ model.model.language_model.embed_tokens.weight.float().T
    log_p = logits.log_softmax(-1)
    wanted = sheet.wanted
    loss = -log_p.gather(1, wanted[:, None])[:, 0]
    guess = logits.detach().argmax(-1)
    figures = {}
    is_cell = torch.isin(wanted, writer.cell_ids)
    if is_cell.any():
        figures["cell"] = float((guess[is_cell] == wanted[is_cell]).float().mean())
    which = torch.full((logits.shape[1],), -1)
    which[writer.number_ids] = torch.arange(len(NUMBERS)).expand(2, -1)
    number = which[wanted]
    is_number = number >= 0
    if is_number.any():
        soft = soft_targets(number[is_number].float() * 10)
        goes_on = (wanted[is_number, None] == writer.number_ids[1]).any(1).long()  # with a comma, or without
        among = log_p[is_number].gather(1, writer.number_ids[goes_on])
        loss = loss.masked_scatter(is_number, -(soft * among).sum(-1))
        figures["number_error"] = float((among.argmax(-1) - number[is_number]).abs().float().mean() * 10)
    is_thought = torch.isin(wanted, writer.thought_ids)
    is_end = wanted == writer.end_id
    right = (guess == wanted).float()
    figures["thought"] = float(right[is_thought].mean())
    figures["end"] = float(right[is_end].mean()) if is_end.any() else float("nan")
    figures["words"] = float(right[~is_number & ~is_cell & ~is_thought & ~is_end].mean())
    # choosing, understanding and ending decide; one object missed costs more than one looked at twice
    weight = torch.where(
        is_number, 0.5, torch.where(is_cell, 4.0, torch.where(is_thought, 1.0, torch.where(is_end, 0.7, 0.3)))
    )
    total = (loss * weight).sum() / weight.sum()
    figures["loss"] = float(total.detach())
    return total, figures


_ASKED: dict[str, dict[str, Any]] = {
    "all": {"choosing_share": 0.0, "relating_share": 0.0},
    "one": {"choosing_share": 1.0, "relating_share": 0.0},
    "near": {"choosing_share": 0.0, "relating_share": 1.0},
}


@torch.no_grad()
def measure(
    model: Qwen3VLForConditionalGeneration, writer: Writer, batch: Batch, *, steps: int = 6
) -> dict[str, float]:
    """The figures of `loss_of` for questions in held-out phrasings, the same at each call."""
    rng = np.random.default_rng(1)
    sums: dict[str, list[float]] = {}
    for _ in range(steps):
        targets, tokens, cells = batch(rng, 8)
        for kind, shares in _ASKED.items():
            sheets = {
                "": (tokens, lay_out(writer, cells, dialogues(targets, writer, rng, **shares, held_out=True))),
                "understood_": understanding(targets, tokens, cells, writer, rng, **shares, held_out=True),
            }
            for what, (shown, sheet) in sheets.items():
                for name, value in loss_of(model, writer, shown, sheet)[1].items():
                    if kind == "all" or name in ("cell", "thought", "end"):
                        sums.setdefault(f"{kind}_{what}{name}", []).append(value)
    return {name: float(np.nanmean(values)) for name, values in sums.items()}


def train(
    model: Qwen3VLForConditionalGeneration,
    writer: Writer,
    batch: Batch,
    run: Path,
    *,
    test: Batch,
    minutes: float,
    size: int = 16,
    peak: float = 1e-3,
    choosing_share: float = 0.35,
    relating_share: float = 0.1,
    understand_every: int = 3,
    meanings: Meanings | None = None,
    seed: int = 0,
) -> None:
    """Trains the language side for `minutes` from where `run` stopped; saves every two minutes, with figures on `test`.

    Each process draws its own `size` images a step; the first one prints, measures and saves.
    """
    language = model.model.language_model
    weights = list(language.parameters())
    words = [language.embed_tokens.weight, language.norm.weight]
    groups = [{"params": words}, {"params": list(language.layers.parameters())}]
    optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.98), weight_decay=0.01)
    silent = silent_of(language)
    step, rank = 0, parallel.rank()
    state = run / "state.pt"
    if state.exists():
        held = torch.load(state, weights_only=False)
        language.load_state_dict(held["language"])
        if "optimizer" in held:  # else it was exported once (warm_start.py)
            optimizer.load_state_dict(held["optimizer"])
            step = held["step"]
    rng = np.random.default_rng([seed, step, rank])
    model.train()
    started = said = saved = time.monotonic()
    spent = 0.0
    sums: dict[str, list[float]] = {}
    while spent < minutes:
        rate = peak * max(0.05, 1 - max(0.0, spent / minutes - 0.5) * 2)
        # words first: until they say what the circuits know, all that reaches the layers is noise that unlearns it
        for group, warm in zip(optimizer.param_groups, (60, 600), strict=True):
            group["lr"] = rate * min(1.0, (step + 1) / warm)
        optimizer.param_groups[1]["lr"] *= 0.5
        targets, tokens, cells = batch(rng, size)
        if step % understand_every == 0:
            tokens, sheet = understanding(
                targets,
                tokens,
                cells,
                writer,
                rng,
                choosing_share=choosing_share,
                relating_share=relating_share,
                meanings=meanings,
            )
        else:
            sheet = lay_out(
                writer,
                cells,
                dialogues(targets, writer, rng, choosing_share=choosing_share, relating_share=relating_share),
            )
        loss, figures = loss_of(model, writer, tokens, sheet)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for weight, mask in silent:
            assert weight.grad is not None
            weight.grad[mask] = 0.0
        spent = parallel.averaged(weights, (time.monotonic() - started) / 60)
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        step += 1
        for name, value in figures.items():
            sums.setdefault(name, []).append(value)
        now = time.monotonic()
        if rank == 0 and now - said > 30:
            _say(f"{spent:6.1f} min  step {step}", {name: float(np.nanmean(values)) for name, values in sums.items()})
            sums, said = {}, now
        if rank == 0 and now - saved > 120:
            _save(state, language, optimizer, step)
            _say("        test", measure(model, writer, test))
            saved = time.monotonic()
    if rank == 0:
        _save(state, language, optimizer, step)


def _say(begin: str, figures: Mapping[str, float]) -> None:
    print(begin, *(f"{name} {value:.3f}" for name, value in sorted(figures.items())), sep="  ", flush=True)


def _save(state: Path, language: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    state.parent.mkdir(parents=True, exist_ok=True)
    held = {"language": language.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    fresh = state.with_suffix(".new")
    torch.save(held, fresh)
    fresh.replace(state)


def export(run: Path, eye: Path, out: Path) -> None:
    """Puts the run's language side and the eye together and writes the folder that the product loads."""
    model, tokenizer, _ = start(run)
    model.model.language_model.load_state_dict(torch.load(run / "state.pt", weights_only=False)["language"])
    model.model.visual.load_state_dict(torch.load(eye / "eye.pt", weights_only=False)["visual"])
    save(model, tokenizer, out)


def work(options: argparse.Namespace) -> None:
    """One process of a training."""
    model, _, writer = start(options.run)
    drawn = 1.0 if options.stage == "lookup" else options.drawn
    seen = Seen(options.seen) if options.stage == "read" else None

    def batch(rng: np.random.Generator, size: int) -> tuple[list[Targets], Tensor, Tensor]:
        return seen.batch_of(rng, size) if seen and rng.random() >= drawn else synthetic_tokens.batch_of(rng, size)

    train(
        model,
        writer,
        batch,
        options.run,
        test=Seen(options.test).batch_of if options.test else synthetic_tokens.batch_of,
        minutes=options.minutes,
        size=options.size,
        peak=options.peak,
        choosing_share=options.choosing,
        relating_share=options.relating,
        understand_every=options.understand_every,
        meanings=Meanings(options.meanings) if options.meanings else None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["lookup", "read", "export"])
    parser.add_argument("--run", type=Path, default=Path("runs/language"))
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--size", type=int, default=8, help="images a step and process")
    parser.add_argument("--processes", type=int, default=1, help="cores to train on")
    parser.add_argument("--peak", type=float, default=1e-3)
    parser.add_argument("--seen", type=Path, nargs="*", default=[], help="folders that training.nano.precompute wrote")
    parser.add_argument(
        "--drawn", type=float, default=0.25, help="read: share of steps with drawn tokens, so that nothing is lost"
    )
    parser.add_argument(
        "--test", type=Path, nargs="*", default=[], help="such folders to measure on; drawn tokens without"
    )
    parser.add_argument("--eye", type=Path, default=Path("runs/eye"))
    parser.add_argument("--choosing", type=float, default=0.35, help="how often one object of several is asked for")
    parser.add_argument("--relating", type=float, default=0.1, help="how often those that are near something else are")
    parser.add_argument("--understand-every", type=int, default=3, help="steps; one that only asks what is meant")
    parser.add_argument("--meanings", type=Path, help="a folder that training.nano.semantics wrote")
    parser.add_argument("--out", type=Path, default=Path("t2s_agent/nano/prompter"))
    options = parser.parse_args()
    if options.stage == "export":
        export(options.run, options.eye, options.out)
        return
    start(options.run)  # the tokenizer is made once
    parallel.run(work, options)


if __name__ == "__main__":
    main()
