"""Nano's tokenizer: words in pieces, and whole tokens for all that is the same in each prompt or that an answer is made of."""

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from evals.questions import CATEGORIES, QUESTIONS, TELL
from evals.questions.extremes import EXTREMES
from evals.questions.relations import RELATIONS
from training.nano.image_tokens import CELL, GRID, NUMBERS, SIDE

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
PAD, END, IMAGE = "<|endoftext|>", "<|im_end|>", "<|image_pad|>"
ROLES = ("system\n", "user\n", "assistant\n")
ANSWER_PIECES = ("\n<answer>```json[", "]```</answer>", '], "positive_points": [[', "], [", "]]}")

QUESTION_KINDS = (*EXTREMES, *RELATIONS)  # of questions that ask for only some objects of a category


def thought(category: str, kind: str | None = None) -> str:
    """Returns the text of the thought, one token, for a question for `category`; `kind` of `QUESTION_KINDS` if it asks for some only."""
    which = f"the {EXTREMES[kind][0]} " if kind in EXTREMES else ""
    where = f" {kind}" if kind in RELATIONS else ""
    return f"<think>Looking for {which}{category}{where}.</think>"


def cell_text(cell: int, *, first: bool) -> str:
    """Returns the text with which an instance begins, one token: the centre of its cell in 0..1000.

    To choose a cell and to read its numbers are two tasks; one after the other, each is easy.
    """
    row, column = divmod(cell, GRID)
    x, y = ((2 * n + 1) * CELL * 500 // SIDE for n in (column, row))
    return f'{"" if first else ", "}{{"at": [{x}, {y}], '


def label_text(category: str) -> str:
    """Returns the text that follows the cell, one token."""
    return f'"label": "{category}", "bbox_2d": ['


CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_tokenizer(fixed_texts: list[str], vocabulary: int = 1600) -> PreTrainedTokenizerFast:
    """Returns a tokenizer: byte-level pieces learned from the question bank, so that each word has tokens, and whole tokens for fixed texts.

    `fixed_texts` are the fixed texts of the paper's prompt (system message, the text before and after the question): one token each, so
    that a long prompt has only a few tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    texts = [text for bank in QUESTIONS.values() for text in bank.train]
    texts += [text.lower() for text in texts] + list(TELL) + [f" {name}s {name}" for name in QUESTIONS] * 4
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in SPECIAL])
    numbers = [f"{n}{after}" for after in ("", ",") for n in NUMBERS]
    cells = [cell_text(cell, first=first) for first in (True, False) for cell in range(GRID * GRID)]
    whole = [*ROLES, *fixed_texts, *ANSWER_PIECES, *numbers, *cells]
    whole += [*CATEGORIES, *map(label_text, CATEGORIES), *map(thought, CATEGORIES)]
    whole += [thought(category, kind) for kind in QUESTION_KINDS for category in CATEGORIES]
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=False) for text in whole])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def token_id(tokenizer: PreTrainedTokenizerFast, piece: str) -> int:
    """The id of one token, which the tokenizer types as that of one or of several."""
    found = tokenizer.convert_tokens_to_ids(piece)
    assert isinstance(found, int)
    return found
