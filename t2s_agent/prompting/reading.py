"""From what a model wrote about a View to an Answer in View pixels: what all prompters do alike with a raw text."""

from dataclasses import replace

from t2s_agent.prompting.answer import Answer
from t2s_agent.prompting.duplicates import without_duplicates
from t2s_agent.prompting.frames import Frame
from t2s_agent.prompting.parsing import parse_answer
from t2s_agent.prompting.style import PromptStyle

SAME = 0.7  # IoU of two boxes above which they say the same object


def read_answer(raw: str, frame: Frame, style: PromptStyle, *, same: float = SAME) -> Answer:
    """Parses leniently, carries the instances to View pixels, leaves out repeated ones (`same` 1.0: none)."""
    answer = parse_answer(raw, frame=(frame.model.width, frame.model.height), style=style)
    kept, warnings = without_duplicates([frame.to_view(instance) for instance in answer.instances], same)
    return replace(answer, instances=kept, warnings=(*answer.warnings, *warnings))
