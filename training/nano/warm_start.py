"""Starts runs of nano's prompter: from the same fresh weights and a stored tokenizer, or from exported weights.

    python -m training.nano.warm_start --prompter t2s_agent/nano/prompter --run runs/again

makes the folder of a run that continues from exported weights: image encoder and language model, without optimizer state.
"""

import argparse
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

from t2s_agent.prompting.style import STYLES
from training.nano.dialogue import Writer, fixed_prompt_texts
from training.nano.model import build_model
from training.nano.tokenizer import build_tokenizer


def start(run: Path) -> tuple[Qwen3VLForConditionalGeneration, PreTrainedTokenizerFast, Writer]:
    """Returns a fresh model, the run's tokenizer (made and stored if there is none), and its writer of dialogues."""
    torch.manual_seed(0)
    where = run / "tokenizer"
    if where.exists():
        tokenizer = PreTrainedTokenizerFast.from_pretrained(where)
    else:
        tokenizer = build_tokenizer(fixed_prompt_texts())
        tokenizer.save_pretrained(where)
    return build_model(tokenizer), tokenizer, Writer(tokenizer, STYLES["box_2_points"])


def unpack(prompter: Path, run: Path) -> None:
    """Writes the tokenizer, eye.pt and state.pt of a run from an exported folder."""
    PreTrainedTokenizerFast.from_pretrained(prompter).save_pretrained(run / "tokenizer")
    model = Qwen3VLForConditionalGeneration.from_pretrained(prompter, dtype=torch.float32).model
    torch.save({"visual": model.visual.state_dict()}, run / "eye.pt")
    torch.save({"language": model.language_model.state_dict()}, run / "state.pt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompter", type=Path, required=True, help="an exported folder")
    parser.add_argument("--run", type=Path, required=True)
    options = parser.parse_args()
    unpack(options.prompter, options.run)


if __name__ == "__main__":
    main()
