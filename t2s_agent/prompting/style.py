"""Defines the variants of the paper's prompt. One `PromptStyle` value controls prompt, parser and reward.

The default has exactly the wording of Think2Seg-RS (arXiv 2512.19302, code at commit 1d35fa9,
dataset/EarthReason_datasets.py): its published weights were trained on it, so every space matters. The variants differ
from it as in that code; the additional numbers in their examples are ours, and so is the variant with a confidence.
"""

from dataclasses import dataclass

from t2s_agent.errors import T2SError

SYSTEM = (
    "You are a remote sensing analysis assistant. Your task is to generate spatial prompts for the Segment Anything "
    "Model (SAM) based on a user's request."
)
_LISTED = 'Please find "{question}", identify the target. For each target instance, provide:\n1.  `bbox_2d`: A tight bounding box.\n'
_TAIL = (
    "Output your thinking process in <think> </think> tags.\n"
    "Output the final answer in <answer> </answer> tags with the specified JSON format. "
    "If no targets are found, output an empty list.\n"
    "i.e. <think> thinking process here </think> \n"
)


@dataclass(frozen=True, slots=True)
class PromptStyle:
    """One variant of the prompt: the parts that it asks for, and its wording.

    With `confidence` each instance has to say the IoU that it expects of its mask: for training with a calibration reward; serving
    does not use it.
    """

    name: str
    box: bool
    positive: int
    negative: int
    ask: str  # with {question}
    example: str
    confidence: bool = False

    @property
    def system(self) -> str:
        """The system message."""
        return SYSTEM

    def user(self, question: str) -> str:
        """The user's message; it follows the image."""
        return f"{self.ask.replace('{question}', question)}{_TAIL}<answer>```json{self.example}```</answer>"


_BOXES = ("[310,360,567,586]", "[10,200,100,320]")


def _example(*instances: str) -> str:
    return "[" + ", ".join(instances) + "]"


STYLES: dict[str, PromptStyle] = {
    style.name: style
    for style in (
        PromptStyle(
            "box_2_points",
            True,
            2,
            0,
            _LISTED + "2.  `positive_points`: Exactly two points, placed inside the target.\n",
            _example(
                f'{{"bbox_2d": {_BOXES[0]}, "positive_points": [[434, 474], [450, 460]]}}',
                f'{{"bbox_2d": {_BOXES[1]}, "positive_points": [[50, 250], [90, 300]]}}',
            ),
        ),
        PromptStyle(
            "box_4_points",
            True,
            4,
            0,
            _LISTED + "2.  `positive_points`: Exactly four points, placed inside the target.\n",
            _example(
                f'{{"bbox_2d": {_BOXES[0]}, "positive_points": [[434, 474], [450, 460], [400, 500], [480, 520]]}}',
                f'{{"bbox_2d": {_BOXES[1]}, "positive_points": [[50, 250], [90, 300], [40, 280], [70, 220]]}}',
            ),
        ),
        PromptStyle(
            "box_2_points_2_negative",
            True,
            2,
            2,
            _LISTED
            + "2.  `positive_points`: Exactly two points, placed inside the target.\n"
            + "3.  `negative_points`: Exactly two points, placed outside the target's boundary to separate target "
            "from background.\n",
            _example(
                f'{{"bbox_2d": {_BOXES[0]}, "positive_points": [[434, 474], [450, 460]], '
                '"negative_points": [[300, 350], [580, 600]]}',
                f'{{"bbox_2d": {_BOXES[1]}, "positive_points": [[50, 250], [90, 300]], '
                '"negative_points": [[5, 190], [110, 330]]}',
            ),
        ),
        PromptStyle(
            "box",
            True,
            0,
            0,
            'Please find "{question}", identify the target. For each target instance, provide a tight bounding box.\n',
            _example(f'{{"bbox_2d": {_BOXES[0]}}}', f'{{"bbox_2d": {_BOXES[1]}}}'),
        ),
        PromptStyle(
            "points",
            False,
            2,
            0,
            'Please find "{question}", identify the target. For each target instance, provide two positive points, '
            "placed inside the target.\n",
            _example('{"positive_points": [[434, 474], [450, 460]]}', '{"positive_points": [[50, 250], [90, 300]]}'),
        ),
        PromptStyle(
            "box_2_points_confidence",
            True,
            2,
            0,
            _LISTED
            + "2.  `positive_points`: Exactly two points, placed inside the target.\n"
            + "3.  `confidence`: How well you expect the target's mask to fit, from 0 to 1.\n",
            _example(
                f'{{"bbox_2d": {_BOXES[0]}, "positive_points": [[434, 474], [450, 460]], "confidence": 0.9}}',
                f'{{"bbox_2d": {_BOXES[1]}, "positive_points": [[50, 250], [90, 300]], "confidence": 0.6}}',
            ),
            confidence=True,
        ),
    )
}
DEFAULT_STYLE = STYLES["box_2_points"]


def style_named(name: str) -> PromptStyle:
    """Returns the style of that name. Raises `argument_invalid` with the list of names."""
    if name not in STYLES:
        raise T2SError("argument_invalid", f"there is no prompt style {name!r}", f"Choose from {', '.join(STYLES)}")
    return STYLES[name]
