"""Trains nano's language model on image tokens: synthetic ones (`lookup`) or stored ones of the image encoder (`read`).

    python -m training.nano.language lookup --run runs/language --steps 4000
    python -m training.nano.language read --run runs/language --seen runs/seen --start runs/lookup --steps 2000
    python -m training.nano.language export --run runs/language --eye runs/eye --out t2s_agent/nano/prompter

A run goes on where it stopped (run.py).
"""

import argparse
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import Qwen3VLForConditionalGeneration

from evals.questions import CATEGORIES, pick, training_question
from evals.questions.extremes import EXTREMES, extreme, extreme_question
from evals.questions.relations import RELATIONS, relation_question
from t2s_agent.errors import T2SError
from training.nano import parallel, synthetic_tokens
from training.nano.circuits import frozen_weights
from training.nano.dialogue import Dialogue, SequenceBatch, Targets, Writer, build_sequences, draw_question
from training.nano.export import save
from training.nano.image_tokens import NUMBERS, soft_targets
from training.nano.model import build_model
from training.nano.precompute import StoredTokens
from training.nano.run import Run, add_options, launch, plan_of
from training.nano.semantics import Meanings
from training.nano.warm_start import LANGUAGE, language_of, start, tokenizer_of, visual_of

Batch = Callable[[np.random.Generator, int], tuple[list[Targets], Tensor, Tensor]]


QUESTIONS = 3  # for each image in a step: the image's tokens are most of the cost
FEW_TOKENS = 12  # image tokens in a step that trains only the thought


def draw_thought_batch(
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
) -> tuple[Tensor, SequenceBatch]:
    """Returns many questions for random categories, each with only its thought token as the answer, and a few tokens of each image.

    With `meanings`, half of the questions for all objects of a category come from there.
    """
    few = torch.from_numpy(np.sort(rng.choice(tokens.shape[1], FEW_TOKENS, replace=False)))
    none = np.zeros(0, np.int64)

    def draw() -> tuple[str, int, str | None]:
        category = int(rng.integers(len(CATEGORIES)))
        chance = rng.random()
        if chance < choosing_share + relating_share:
            apart = [each for each, landmark in RELATIONS.items() if landmark != CATEGORIES[category]]
            kind = _draw(EXTREMES if chance < choosing_share else apart, rng)
            return question_for_some(CATEGORIES[category], kind, rng, held_out=held_out), category, kind
        if held_out:
            return pick(CATEGORIES[category], rng, held_out=True), category, None
        if meanings and rng.random() < 0.5:
            return *meanings.draw(rng), None
        return training_question(CATEGORIES[category], rng), category, None

    written = []
    for each in targets:
        asked = [draw() for _ in range(questions)]
        written.append([writer.write(text, category, each, none, kind).thought_only for text, category, kind in asked])
    return tokens[:, few], build_sequences(writer, cells[:, few], written)


def question_for_some(category: str, kind: str, rng: np.random.Generator, *, held_out: bool = False) -> str:
    """Returns a question for some objects of a category; `kind` is one of QUESTION_KINDS."""
    if kind in EXTREMES:
        return extreme_question(category, kind, rng, held_out=held_out)
    return relation_question(category, RELATIONS[kind], rng, held_out=held_out)


def _draw(kinds: Iterable[str], rng: np.random.Generator) -> str:
    return str(rng.choice(list(kinds)))


def draw_dialogues(
    targets: list[Targets],
    writer: Writer,
    rng: np.random.Generator,
    *,
    choosing_share: float,
    relating_share: float = 0.0,
    held_out: bool = False,
) -> list[list[Dialogue]]:
    """Returns `QUESTIONS` random dialogues for each image.

    The share `choosing_share` asks for one object of several if it is clear which, `relating_share` for those near something else.
    """
    written: list[list[Dialogue]] = []
    for each in targets:
        row = []
        for _ in range(QUESTIONS):
            category, asked = draw_question(each, rng)
            name = CATEGORIES[category]
            chance = rng.random()
            kind = None
            if chance < choosing_share:
                kind = _draw(EXTREMES, rng)
                if len(asked) > 1:
                    one = extreme(kind, each.numbers[asked])
                    asked, kind = (asked, None) if one is None else (asked[one : one + 1], kind)
            elif chance < choosing_share + relating_share:
                kind, asked = draw_relation(each, category, asked, rng)
            question = question_for_some(name, kind, rng, held_out=held_out) if kind else _plain(name, rng, held_out)
            dialogue = writer.write(question, category, each, asked, kind)
            row.append(writer.with_gap(dialogue, rng) if rng.random() < 0.5 else dialogue)
        written.append(row)
    return written


def _plain(name: str, rng: np.random.Generator, held_out: bool) -> str:
    return pick(name, rng, held_out=True) if held_out else training_question(name, rng)


def draw_relation(
    targets: Targets, category: int, asked: NDArray[np.int64], rng: np.random.Generator
) -> tuple[str, NDArray[np.int64]]:
    """Returns a relation, if possible one that holds for some of the objects `asked` but not for all, and the objects it holds for."""
    relations = [kind for kind, landmark in RELATIONS.items() if landmark != CATEGORIES[category]]
    shares = [targets.near[asked, CATEGORIES.index(RELATIONS[kind])].mean() if len(asked) else 0 for kind in relations]
    telling = [kind for kind, share in zip(relations, shares, strict=True) if 0 < share < 1]
    true = [kind for kind, share in zip(relations, shares, strict=True) if share == 1]
    chance = rng.random()
    kind = _draw(telling if telling and chance < 0.6 else true if true and chance < 0.8 else relations, rng)
    return kind, asked[targets.near[asked, CATEGORIES.index(RELATIONS[kind])]]


def forward(model: Qwen3VLForConditionalGeneration, tokens: Tensor, sequences: SequenceBatch) -> Tensor:
    """Returns the hidden states (M, WIDTH) before each answer token of a batch with the image tokens (B, K, WIDTH)."""
    embeds = model.get_input_embeddings()(sequences.ids)
    embeds = torch.cat(
        [embeds[:, : sequences.image.start], tokens.to(embeds), embeds[:, sequences.image.stop :]], dim=1
    )
    with torch.autocast("cpu", torch.bfloat16):
        hidden: Tensor = model.model.language_model(
            inputs_embeds=embeds, position_ids=sequences.places, attention_mask=sequences.mask, use_cache=False
        )[0]
    return hidden[sequences.at[:, 0], sequences.at[:, 1]].float()


def loss_of(
    model: Qwen3VLForConditionalGeneration, writer: Writer, tokens: Tensor, sequences: SequenceBatch
) -> tuple[Tensor, dict[str, float]]:
    """Returns the cross entropy over the answers, where a number's target is a Gaussian over its neighbours, and figures by name.

    The figures, all teacher-forced: loss; the share of right thoughts, cells and other words; how often the end of an answer is right;
    the mean error of the numbers (0..1000).
    """
    logits = forward(model, tokens, sequences) @ model.model.language_model.embed_tokens.weight.float().T
    log_p = logits.log_softmax(-1)
    wanted = sequences.wanted
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
        goes_on = (wanted[is_number, None] == writer.number_ids[1]).any(1).long()  # 1 with a comma, 0 without
        among = log_p[is_number].gather(1, writer.number_ids[goes_on])
        loss = loss.masked_scatter(is_number, -(soft * among).sum(-1))
        figures["number_error"] = float((among.argmax(-1) - number[is_number]).abs().float().mean() * 10)
    is_thought = torch.isin(wanted, writer.thought_ids)
    is_end = wanted == writer.end_id
    right = (guess == wanted).float()
    figures["thought"] = float(right[is_thought].mean())
    figures["end"] = float(right[is_end].mean()) if is_end.any() else float("nan")
    figures["words"] = float(right[~is_number & ~is_cell & ~is_thought & ~is_end].mean())
    # the choice of a cell, the thought and the end matter most; a missed object costs more than a repeated one
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
    """Returns the figures of `loss_of` for questions in held-out phrasings; each call draws the same questions."""
    rng = np.random.default_rng(1)
    sums: dict[str, list[float]] = {}
    for _ in range(steps):
        targets, tokens, cells = batch(rng, 8)
        for kind, shares in _ASKED.items():
            both = {
                "": (
                    tokens,
                    build_sequences(writer, cells, draw_dialogues(targets, writer, rng, **shares, held_out=True)),
                ),
                "understood_": draw_thought_batch(targets, tokens, cells, writer, rng, **shares, held_out=True),
            }
            for what, (shown, sequences) in both.items():
                for name, value in loss_of(model, writer, shown, sequences)[1].items():
                    if kind == "all" or name in ("cell", "thought", "end"):
                        sums.setdefault(f"{kind}_{what}{name}", []).append(value)
    return {name: float(np.nanmean(values)) for name, values in sums.items()}


def train(
    model: Qwen3VLForConditionalGeneration,
    writer: Writer,
    batch: Batch,
    file: Path,
    plan: Mapping[str, Any],
    *,
    test: Batch,
    minutes: float | None = None,
    save_every: int = 200,
    meanings: Meanings | None = None,
) -> None:
    """Trains the language model for the steps of the `plan`, continuing from `file`; measures on `test`.

    Each process draws its own `size` images a step.
    """
    language = model.model.language_model
    peak, steps = plan["peak"], plan["steps"]
    words = [language.embed_tokens.weight, language.norm.weight]
    groups = [{"params": words}, {"params": list(language.layers.parameters())}]
    optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.98), weight_decay=0.01)
    rng = np.random.default_rng([plan["seed"], 0, parallel.rank()])
    model.train()
    run = Run(
        file,
        plan,
        language,
        [optimizer],
        {"drawn": rng},
        measure=lambda: {"held-out phrasings": measure(model, writer, test)},
        save_every=save_every,
        minutes=minutes,
    )
    shares = {"choosing_share": plan["choosing"], "relating_share": plan["relating"]}
    for step in run.steps():
        targets, tokens, cells = batch(rng, plan["size"])
        if step % plan["understand_every"] == 0:
            tokens, sequences = draw_thought_batch(targets, tokens, cells, writer, rng, **shares, meanings=meanings)
        else:
            sequences = build_sequences(writer, cells, draw_dialogues(targets, writer, rng, **shares))
        loss, figures = loss_of(model, writer, tokens, sequences)
        # the embeddings warm up first: before they are trained, the layers get only noise, which destroys their initial weights
        rate = peak * max(0.05, 1 - max(0.0, step / steps - 0.5) * 2)
        run.learn(loss, figures, rates=[rate * min(1.0, (step + 1) / 60), rate * min(1.0, (step + 1) / 600) * 0.5])


def prepare(language: Any, begin: Path | None) -> None:
    """Loads the weights of the folder `begin` into a fresh language model, if given, and holds its frozen weights at 0 from here on.

    Raises `argument_invalid` for weights that never had circuits: it would hold most of them as they are.
    """
    frozen = frozen_weights(language)
    if begin:
        language.load_state_dict(language_of(begin))
        if any((weight.detach()[mask] != 0).float().mean() > 0.5 for weight, mask in frozen):
            raise T2SError(
                "argument_invalid",
                f"{begin} holds a model without initial circuits, which this training relies on",
                "Train it by training.sft or training.grpo",
            )
    for weight, mask in frozen:
        weight.register_post_accumulate_grad_hook(partial(_silence, mask=mask))


def _silence(weight: Tensor, mask: Tensor) -> None:
    assert weight.grad is not None
    weight.grad[mask] = 0.0


def export(run: Path, eye: Path, out: Path) -> None:
    """Combines a language model and an image encoder, of runs or of exported folders, into the folder that the product loads."""
    tokenizer = tokenizer_of(run)
    model = build_model(tokenizer)
    model.model.language_model.load_state_dict(language_of(run))
    model.model.visual.load_state_dict(visual_of(eye))
    save(model, tokenizer, out)


def run_process(options: argparse.Namespace) -> None:
    """Runs the training in one process."""
    model, _, writer = start(options.run, options.start)
    prepare(model.model.language_model, options.start)
    drawn = 1.0 if options.stage == "lookup" else options.drawn
    seen = StoredTokens(options.seen) if options.stage == "read" else None

    def batch(rng: np.random.Generator, size: int) -> tuple[list[Targets], Tensor, Tensor]:
        return seen.draw_batch(rng, size) if seen and rng.random() >= drawn else synthetic_tokens.draw_batch(rng, size)

    train(
        model,
        writer,
        batch,
        options.run / LANGUAGE,
        plan_of(options),
        test=StoredTokens(options.test).draw_batch if options.test else synthetic_tokens.draw_batch,
        minutes=options.minutes,
        save_every=options.save_every,
        meanings=Meanings(options.meanings) if options.meanings else None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["lookup", "read", "export"])
    add_options(parser, run="runs/language", steps=3800, peak=1e-3, save_every=200)
    parser.add_argument("--size", type=int, default=8, help="images in a step of each process")
    parser.add_argument("--seen", type=Path, nargs="*", default=[], help="folders that training.nano.precompute wrote")
    parser.add_argument("--drawn", type=float, default=0.25, help="read: share of steps with synthetic tokens")
    parser.add_argument(
        "--test",
        type=Path,
        nargs="*",
        default=[],
        help="folders of the same kind to measure on; default: synthetic tokens",
    )
    parser.add_argument("--eye", type=Path, default=Path("runs/eye"))
    parser.add_argument("--choosing", type=float, default=0.35, help="share of questions for one object of several")
    parser.add_argument(
        "--relating", type=float, default=0.1, help="share of questions for objects near something else"
    )
    parser.add_argument("--understand-every", type=int, default=3, help="one of so many steps trains only the thought")
    parser.add_argument("--meanings", type=Path, help="a folder that training.nano.semantics wrote")
    parser.add_argument("--out", type=Path, default=Path("t2s_agent/nano/prompter"))
    options = parser.parse_args()
    if options.stage == "export":
        export(options.run, options.eye, options.out)
        return
    start(options.run, options.start)  # makes the tokenizer once, before the processes start
    launch(run_process, options, LANGUAGE)


if __name__ == "__main__":
    main()
