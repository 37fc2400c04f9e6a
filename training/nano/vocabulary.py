"""Writes `vocabulary.json`, the words of nano's training, by which the product refuses questions, and measures how well this works.

    python -m training.nano.vocabulary --out t2s_agent/nano/prompter
    python -m training.nano.vocabulary --measure

A question is refused if no word of the training data matches what it asks for (`t2s_agent.prompting.vocabulary`). Held-out phrasings
of nano's classes must not be refused; things that are not among nano's classes should be.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from evals.questions import CATEGORIES, QUESTIONS, TELL
from evals.questions import hinting as hinting
from evals.questions import naming as naming
from evals.questions import words as word_bank
from evals.questions.extremes import EXTREMES, extreme_question
from evals.questions.relations import LANDMARKS, relation_question
from evals.questions.untaught import FRAMES, UNTAUGHT
from t2s_agent.models import nano_folder
from t2s_agent.prompting.vocabulary import FILE, Vocabulary, stem, stems

OFTEN = 2  # a word in so many names of one category, and of no other, names it alone: tennis, rotor
COMMON = 8  # a word in the questions for so many categories does not indicate any of them
_ASKING = (  # words of requests and relations that are too rare in the banks to count as common
    "see want pick draw trace give list choose get outlined marked found farthest furthest nearest closest upper lower edge least most "
    "extensive short way far not neighbourhood vicinity reach next adjacent anywhere somewhere nearby image picture photo scene map "
    "north south east west northern southern eastern western top bottom left right "
    "kind type area region thing object part everything all any some there here"
)


def training_phrases() -> Iterator[tuple[str, str, bool]]:
    """Yields category, phrase, and whether it names the category (the others hint at it), without held-out phrasings."""
    for category in CATEGORIES:
        yield category, category, True
        for phrase in (*word_bank.NAMES[category], *word_bank.SINGULAR[category], *naming.TRAIN[category]):
            yield category, phrase, True
        for phrase in (
            *hinting.TRAIN[category],
            *word_bank.ACTIVITIES[category],
            *word_bank.PARTS[category],
            *word_bank.HINTS[category],
            *word_bank.LOOKS[category],
        ):
            yield category, phrase, False


def vocabulary() -> Vocabulary:
    """Returns the vocabulary of the question banks."""
    classes_of: defaultdict[str, set[str]] = defaultdict(set)
    named_in: defaultdict[str, int] = defaultdict(int)  # number of phrases that name a category and contain the word
    for category, phrase, names in training_phrases():
        for word in set(stems(phrase)):
            classes_of[word].add(category)
            named_in[word] += names
    common = {word for word, classes in classes_of.items() if len(classes) >= COMMON}
    glue = frozenset(common | {word for text in TELL for word in stems(text)} | set(stems(_ASKING)) | _extremes())
    heads: defaultdict[str, set[str]] = defaultdict(set)
    alone = {
        word for word, count in named_in.items() if count >= OFTEN and len(classes_of[word]) == 1 and word not in glue
    }
    articles = Vocabulary(CATEGORIES, {}, frozenset(), frozenset({"a", "an", "the"}))
    for category in CATEGORIES:
        for name in (category, *word_bank.NAMES[category], *word_bank.SINGULAR[category]):
            *beside, head = articles.named(name)[0]
            heads[head] |= set(beside)
            alone |= set() if beside else {head}
    for category in CATEGORIES:  # so "barren soil" is known from "barren land" and "bare soil"
        phrases = [stems(phrase) for each, phrase, names in training_phrases() if each == category and names]
        for head in {words[-1] for words in phrases} & set(heads):
            heads[head] |= {word for words in phrases for word in words if word not in glue} - {head}
    by_noun = {head: frozenset() if head in alone else frozenset(beside) for head, beside in heads.items()}
    by_noun |= {word: frozenset() for word in alone}
    return Vocabulary(CATEGORIES, by_noun, frozenset(classes_of) - glue, glue)


def _extremes() -> set[str]:
    return {stem(word) for clauses in EXTREMES.values() for clause in clauses for word in clause.split()}


def as_json(known: Vocabulary) -> str:
    """Returns the text of the file, sorted, so that it changes only if the banks change."""
    fields = {
        "classes": list(known.classes),
        "heads": {head: sorted(known.heads[head]) for head in sorted(known.heads)},
        "words": sorted(known.words),
        "glue": sorted(known.glue),
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"


def held_out() -> list[str]:
    """Returns phrasings of nano's categories that are not used in training: of the bank, and for extremes and relations."""
    rng = np.random.default_rng(5)
    asked = [text for bank in QUESTIONS.values() for text in bank.held_out]
    for category in CATEGORIES:
        asked += [extreme_question(category, kind, rng, held_out=True) for kind in EXTREMES]
        asked += [
            relation_question(category, landmark, rng, held_out=True) for landmark in LANDMARKS if landmark != category
        ]
    return asked


def measure(known: Vocabulary) -> dict[str, Any]:
    """Returns the share of held-out phrasings that are refused, and of unknown things that are refused."""
    bank = [text for each in QUESTIONS.values() for text in each.held_out]
    asked = held_out()
    refused = [text for text in asked if known.unknown(text)]
    untaught = [(thing, frame.format(thing)) for thing in UNTAUGHT for frame in FRAMES]
    passed = [(thing, text) for thing, text in untaught if not known.unknown(text)]
    return {
        "held_out": len(asked),
        "refused": round(len(refused) / len(asked), 4),
        "refused_of_bank": round(sum(bool(known.unknown(text)) for text in bank) / len(bank), 4),
        "refused_texts": refused,
        "untaught": len(untaught),
        "untaught_refused": round(1 - len(passed) / len(untaught), 4),
        "untaught_not_refused": sorted({thing for thing, _ in passed}),
    }


def main() -> None:
    """Writes the file, or prints the measurements of the one in the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="folder of the model that the file belongs to")
    parser.add_argument("--measure", action="store_true")
    given = parser.parse_args()
    if given.out:
        (given.out / FILE).write_text(as_json(vocabulary()), encoding="utf-8")
    if given.measure:
        known = Vocabulary.of(given.out or nano_folder("prompter"))
        print(json.dumps(measure(known or vocabulary()), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
