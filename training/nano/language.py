"""Trains nano's language side on image tokens: drawn ones first (`lookup`), the eye's own later (`read`).

    python -m training.nano.language lookup --run runs/language --minutes 40
    python -m training.nano.language read --run runs/language --seen runs/seen --minutes 20
    python -m training.nano.language export --run runs/language --eye runs/eye --out t2s_agent/nano/prompter

A run goes on where it stopped: the folder holds weights, optimizer, step and random state.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

from t2s_agent.prompting.style import STYLES
from training.nano import lookup
from training.nano.codes import NUMBERS, soft_targets
from training.nano.dialogue import Dialogue, Targets, Writer, ask, boilerplate, positions
from training.nano.model import build_model, build_tokenizer, save
from training.nano.questions import pick
from training.nano.seen import Seen

Batch = Callable[[np.random.Generator, int], tuple[list[Targets], Tensor, Tensor]]


def dialogues(
    targets: list[Targets], writer: Writer, rng: np.random.Generator, *, held_out: bool = False
) -> list[Dialogue]:
    """One question an image, drawn from the bank."""
    written = []
    for each in targets:
        category, numbers = ask(each, rng)
        written.append(writer.write(pick(category, rng, held_out=held_out), category, numbers.tolist()))
    return written


def forward(
    model: Qwen3VLForConditionalGeneration, writer: Writer, tokens: Tensor, cells: Tensor, ids: Tensor
) -> Tensor:
    """Hidden states (B, L, WIDTH) of dialogues (B, L) padded on the right.

    `ids` has one image token, which stands for the tokens (B, K, WIDTH) of the `cells` (B, K); the states of all
    but one of these are left out again, so that states and ids fit.
    """
    embeds = model.get_input_embeddings()(ids)
    start = writer.image_from
    embeds = torch.cat([embeds[:, :start], tokens.to(embeds), embeds[:, start + 1 :]], dim=1)
    place = positions(embeds.shape[1], start, cells)
    with torch.autocast("cpu", torch.bfloat16):
        hidden: Tensor = model.model.language_model(inputs_embeds=embeds, position_ids=place, use_cache=False)[0]
    return torch.cat([hidden[:, :start], hidden[:, start + cells.shape[1] - 1 :]], dim=1)


def loss_of(
    model: Qwen3VLForConditionalGeneration, writer: Writer, tokens: Tensor, cells: Tensor, written: list[Dialogue]
) -> tuple[Tensor, dict[str, float]]:
    """Cross entropy over the answers; a number's target is a Gaussian over its neighbours.

    The figures: loss, share of answer tokens that are right, mean error of the numbers (0..1000), all teacher forced.
    """
    longest = max(len(d.ids) for d in written)
    ids = torch.zeros(len(written), longest, dtype=torch.long)
    answer = torch.zeros(len(written), longest, dtype=torch.bool)
    for row, dialogue in enumerate(written):
        ids[row, : len(dialogue.ids)] = dialogue.ids
        answer[row, dialogue.answer_from : len(dialogue.ids)] = True
    hidden = forward(model, writer, tokens, cells, ids)
    states = hidden[:, :-1][answer[:, 1:]]
    logits = states.float() @ model.get_input_embeddings().weight.float().T
    wanted = ids[:, 1:][answer[:, 1:]]
    which = torch.full((logits.shape[1],), -1)
    which[writer.number_ids] = torch.arange(len(NUMBERS)).expand(2, -1)
    number = which[wanted]
    is_number = number >= 0
    log_p = logits.log_softmax(-1)
    loss = -log_p.gather(1, wanted[:, None])[:, 0]
    figures = {}
    if is_number.any():
        soft = soft_targets(number[is_number].float() * 10)
        goes_on = (wanted[is_number, None] == writer.number_ids[1]).any(1).long()  # with a comma, or without
        among = log_p[is_number].gather(1, writer.number_ids[goes_on])
        loss = loss.masked_scatter(is_number, -(soft * among).sum(-1))
        guess = among.argmax(-1)
        before = ids[:, :-1][answer[:, 1:]][is_number]
        first = torch.isin(before, writer.opening_ids)  # a box's x1: what shows whether the right cell was found
        if first.any():
            figures["first_loss"] = float(-(soft * among).sum(-1)[first].detach().mean())
            figures["first_error"] = float((guess - number[is_number])[first].abs().float().mean() * 10)
        figures["number_error"] = float((guess - number[is_number]).abs().float().mean() * 10)
    # every answer counts alike, and its numbers as much as all its other words together
    weight = torch.where(is_number, 1.0, 0.5)
    total = (loss * weight).sum() / weight.sum()
    figures["loss"] = float(total.detach())
    figures["words_right"] = float((logits.argmax(-1) == wanted)[~is_number].float().mean())
    return total, figures


def train(
    model: Qwen3VLForConditionalGeneration,
    writer: Writer,
    batch: Batch,
    run: Path,
    *,
    minutes: float,
    size: int = 16,
    peak: float = 1e-3,
    seed: int = 0,
) -> None:
    """Trains the language side for `minutes` from where `run` stopped; saves every two minutes."""
    language = model.model.language_model
    weights = list(language.parameters())
    optimizer = torch.optim.AdamW(weights, lr=peak, betas=(0.9, 0.98), weight_decay=0.01)
    rng = np.random.default_rng(seed)
    step = 0
    state = run / "state.pt"
    if state.exists():
        held = torch.load(state, weights_only=False)
        language.load_state_dict(held["language"])
        optimizer.load_state_dict(held["optimizer"])
        rng.bit_generator.state, step = held["rng"], held["step"]
    model.train()
    started = said = saved = time.monotonic()
    sums: dict[str, list[float]] = {}
    while (spent := (time.monotonic() - started) / 60) < minutes:
        rate = peak * min(1.0, (step + 1) / 200) * max(0.05, 1 - max(0.0, spent / minutes - 0.5) * 2)
        for group in optimizer.param_groups:
            group["lr"] = rate
        targets, tokens, cells = batch(rng, size)
        loss, figures = loss_of(model, writer, tokens, cells, dialogues(targets, writer, rng))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        step += 1
        for name, value in figures.items():
            sums.setdefault(name, []).append(value)
        now = time.monotonic()
        if now - said > 30:
            words = "  ".join(f"{name} {np.mean(values):.3f}" for name, values in sums.items())
            print(f"{spent:6.1f} min  step {step}  {words}", flush=True)
            sums, said = {}, now
        if now - saved > 120:
            _save(state, language, optimizer, rng, step)
            saved = now
    _save(state, language, optimizer, rng, step)


def _save(
    state: Path, language: nn.Module, optimizer: torch.optim.Optimizer, rng: np.random.Generator, step: int
) -> None:
    state.parent.mkdir(parents=True, exist_ok=True)
    held = {
        "language": language.state_dict(),
        "optimizer": optimizer.state_dict(),
        "rng": rng.bit_generator.state,
        "step": step,
    }
    fresh = state.with_suffix(".new")
    torch.save(held, fresh)
    fresh.replace(state)


def start(run: Path) -> tuple[Qwen3VLForConditionalGeneration, PreTrainedTokenizerFast, Writer]:
    """A fresh model and the run's tokenizer, which is made once and kept."""
    torch.manual_seed(0)
    where = run / "tokenizer"
    if where.exists():
        tokenizer = PreTrainedTokenizerFast.from_pretrained(where)
    else:
        tokenizer = build_tokenizer(boilerplate())
        tokenizer.save_pretrained(where)
    return build_model(tokenizer), tokenizer, Writer(tokenizer, STYLES["box_2_points"])


def export(run: Path, eye: Path, out: Path) -> None:
    """Puts the run's language side and the eye together and writes the folder that the product loads."""
    model, tokenizer, _ = start(run)
    model.model.language_model.load_state_dict(torch.load(run / "state.pt", weights_only=False)["language"])
    model.model.visual.load_state_dict(torch.load(eye / "eye.pt", weights_only=False)["visual"])
    save(model, tokenizer, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["lookup", "read", "export"])
    parser.add_argument("--run", type=Path, default=Path("runs/language"))
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--size", type=int, default=16)
    parser.add_argument("--peak", type=float, default=1e-3)
    parser.add_argument("--seen", type=Path, nargs="*", default=[], help="folders that training.nano.seen wrote")
    parser.add_argument("--eye", type=Path, default=Path("runs/eye"))
    parser.add_argument("--out", type=Path, default=Path("t2s_agent/nano/prompter"))
    options = parser.parse_args()
    torch.set_num_threads(1)  # one process a core
    if options.stage == "export":
        export(options.run, options.eye, options.out)
        return
    model, _, writer = start(options.run)
    batch = lookup.batch_of if options.stage == "lookup" else Seen(options.seen).batch_of
    train(model, writer, batch, options.run, minutes=options.minutes, size=options.size, peak=options.peak)


if __name__ == "__main__":
    main()
