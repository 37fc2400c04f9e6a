"""Sample completions as pictures: the image with the truth, and up to four completions of a group with their prompts and masks.

Yellow: the outline of the truth. Red: the mask. White: the prompted box; green and purple: positive and negative points.
"""

import textwrap
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from t2s_agent.instance import Instance
from training.rewards.asked import Asked, Judged
from training.run_folder import RunFolder

MOST = 4  # completions of a group
SIDE = 448  # px, the longer side of a panel's image
GAP = 10  # px
LETTER = 14  # px, the size of the captions
LINE = 18  # px
_CAPTION_LINES = 11
_COLUMNS = 64  # letters of a caption's line
_RED, _YELLOW, _WHITE, _GREEN, _PURPLE = (230, 40, 40), (255, 225, 0), (255, 255, 255), (40, 220, 80), (200, 60, 230)

BoolMask = NDArray[np.bool_]


class Rollout(Protocol):
    """One completion and its judgement, as training.trainer keeps them."""

    @property
    def asked(self) -> Asked: ...
    @property
    def question(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def judged(self) -> Judged: ...


class PicturesCallback(TrainerCallback):
    """Saves a picture in the run's folder every `every` steps (0: never). `rollouts` gives those of the last step."""

    def __init__(self, run: RunFolder, every: int, rollouts: Callable[[], Sequence[Rollout]]) -> None:
        self._run = run
        self._every = every
        self._rollouts = rollouts

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        del args, control, kwargs
        if not self._run.writes or not self._every or state.global_step % self._every:
            return
        if rollouts := self._rollouts():
            self._run.pictures.mkdir(exist_ok=True)
            sheet(chosen(rollouts)).save(self._run.pictures / f"step-{state.global_step:06}.png")


def chosen(rollouts: Sequence[Rollout]) -> list[Rollout]:
    """At most MOST completions of one question: of the one whose rewards differ most, from the best to the worst."""
    groups: dict[str, list[Rollout]] = {}
    for each in rollouts:
        groups.setdefault(each.asked.id, []).append(each)
    group = max(groups.values(), key=lambda members: np.ptp([each.judged.total for each in members]))
    ranked = sorted(group, key=lambda each: -each.judged.total)
    places = np.linspace(0, len(ranked) - 1, min(MOST, len(ranked))).round().astype(int)
    return [ranked[place] for place in places]


def sheet(rollouts: Sequence[Rollout]) -> Image.Image:
    """One picture of completions of one question: the image with the truth on the left, then a panel each."""
    first = rollouts[0]
    panels = [_panel(_drawn(first), [f"{first.asked.id}", f"“{first.question}”", *_truth_lines(first.asked)])]
    panels += [_panel(_drawn(each, mask=True), _caption(each)) for each in rollouts]
    width = sum(panel.width for panel in panels) + GAP * (len(panels) + 1)
    whole = Image.new("RGB", (width, max(panel.height for panel in panels) + 2 * GAP), (20, 20, 20))
    left = GAP
    for panel in panels:
        whole.paste(panel, (left, GAP))
        left += panel.width + GAP
    return whole


def outline(mask: BoolMask) -> BoolMask:
    """The pixels (H, W) of a mask that have a neighbour outside of it, of the four; what lies beyond the edge counts as inside."""
    padded = np.pad(mask, 1, mode="edge")
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(mask & ~inner)


def _drawn(rollout: Rollout, *, mask: bool = False) -> Image.Image:
    """The View at the panel's size, with the truth's outline, and with the completion's mask and prompts."""
    view = rollout.asked.view
    scale = SIDE / max(view.width, view.height)
    size = max(1, round(view.width * scale)), max(1, round(view.height * scale))
    pixels = np.array(Image.fromarray(np.ascontiguousarray(view.rgb)).resize(size, Image.Resampling.BILINEAR))
    if mask:
        inside = _resized(rollout.judged.union.full(view.height, view.width), size)
        pixels[inside] = (0.5 * pixels[inside] + 0.5 * np.array(_RED)).astype(np.uint8)
    pixels[outline(_resized(rollout.asked.truth.mask, size))] = _YELLOW
    picture = Image.fromarray(pixels)
    if mask:
        pen = ImageDraw.Draw(picture)
        for instance in rollout.judged.instances:
            _draw_prompt(pen, instance.scaled(size[0] / view.width, size[1] / view.height))
    return picture


def _draw_prompt(pen: ImageDraw.ImageDraw, instance: Instance) -> None:
    if instance.box:
        pen.rectangle(instance.box, outline=_WHITE)
    for points, colour in ((instance.positive, _GREEN), (instance.negative, _PURPLE)):
        for x, y in points:
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour, outline=(0, 0, 0))


def _panel(picture: Image.Image, lines: Sequence[str]) -> Image.Image:
    """A picture with its caption below."""
    panel = Image.new("RGB", (SIDE, SIDE + LINE * _CAPTION_LINES + 8), (20, 20, 20))
    panel.paste(picture, (0, 0))
    pen, font = ImageDraw.Draw(panel), ImageFont.load_default(LETTER)
    wrapped = [part for line in lines for part in textwrap.wrap(line, _COLUMNS) or [""]]
    for number, line in enumerate(wrapped[:_CAPTION_LINES]):
        pen.text((0, SIDE + 4 + LINE * number), line, fill=_WHITE, font=font)
    return panel


def _truth_lines(asked: Asked) -> list[str]:
    area = int(np.count_nonzero(asked.truth.mask))
    parts = "" if asked.truth.instances is None else f", {len(asked.truth.instances)} objects"
    return [f"truth: {area:,} px{parts}" if area else "truth: nothing fits the question"]


def _caption(rollout: Rollout) -> list[str]:
    judged = rollout.judged
    found = judged.kind or f"{len(judged.instances)} instances"
    parts = ", ".join(f"{name} {value:.2f}" for name, value in judged.rewards.items())
    return [f"reward {judged.total:.3f}, IoU {judged.iou:.3f}, {found}", parts, " ".join(rollout.text.split())]


def _resized(mask: BoolMask, size: tuple[int, int]) -> BoolMask:
    """A mask at another size (width, height), by the nearest pixel."""
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
