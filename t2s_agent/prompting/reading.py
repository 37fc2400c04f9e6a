"""Converts a model's raw text about a View to an Answer in View pixels; all prompters use it.

The assumed frame is checked against the numbers first. Numbers that cannot be in that frame are read in the one other frame that
they fit, with a warning; if there is no such frame or more than one, the answer is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from t2s_agent.instance import Instance
from t2s_agent.prompting.answer import Answer
from t2s_agent.prompting.duplicates import without_duplicates
from t2s_agent.prompting.forms import Written
from t2s_agent.prompting.frames import COORDINATES, Frame, Size
from t2s_agent.prompting.parsing import Words, placed, read_words

SAME = 0.7  # IoU of two boxes above which they are the same object
OVERSHOOT = 0.02  # of a side: models write 1003 for the edge of 1000, and no other frame is that close
UNIT_OVERSHOOT = 0.05
LONGER = (
    "Set max_new_tokens (T2S_MAX_NEW_TOKENS, {most} now) higher: thinking counts too; or use a model that thinks less"
)


def read_answer(
    raw: str,
    frame: Frame,
    *,
    same: float = SAME,
    cut: bool = False,
    tokens: int = 0,
    most_tokens: int = 0,
    others: Mapping[str, Frame] | None = None,
    bounded: bool = True,
    way_out: str = "",
    box: str = "corners",
) -> Answer:
    """Parses leniently, checks the frame, converts the instances to View pixels, drops duplicates (`same` 1.0: drops none).

    `cut`: the text ended at its limit of `most_tokens`. `others` are alternative frames, by name, that are tried if the
    numbers do not fit `frame`. With `bounded` False, numbers beyond the frame are clipped to it. `way_out` is the advice given
    if no frame fits. `box` is "corners", or "xywh" for a model that writes a corner and sizes.
    """
    words = read_words(raw, cut=cut)
    remarks: tuple[str, ...] = (f"the answer was cut off after {tokens} tokens",) if cut else ()
    if words.problem:
        problem, fix = words.problem, ""
        if words.unfinished:
            after = f" after {tokens} tokens" if cut else ""
            problem = (
                f"{words.problem}: cut off{after}, max_new_tokens is {most_tokens}" if most_tokens else words.problem
            )
            fix = LONGER.format(most=most_tokens or "2048")
        answer = placed(replace(words, problem=problem), raw, (), (1, 1))
        return replace(answer, warnings=(*remarks, *answer.warnings), fix=fix)
    return _in_frame(words, raw, frame, same, remarks, others or {}, bounded, way_out, box)


def _in_frame(
    words: Words,
    raw: str,
    frame: Frame,
    same: float,
    remarks: tuple[str, ...],
    others: Mapping[str, Frame],
    bounded: bool,
    way_out: str,
    box: str,
) -> Answer:
    items = [_to_corners(item, box) for item in words.items]
    chosen, said, misfit = frame_of(items, frame, others, bounded)
    if misfit:
        answer = placed(replace(words, problem=misfit), raw, (), (1, 1))
        return replace(answer, warnings=(*remarks, *answer.warnings), fix=way_out)
    instances = [x_first(item, chosen) for item in items]
    answer = placed(words, raw, instances, (chosen.model.width, chosen.model.height), notes=said)
    kept, warnings = without_duplicates([chosen.to_view(instance) for instance in answer.instances], same)
    return replace(answer, instances=kept, warnings=(*remarks, *answer.warnings, *warnings))


def x_first(item: Written, frame: Frame) -> Instance:
    """Returns an object in the coordinates of `frame`, x first, converted from the order and scale of its own format."""
    own = COORDINATES.get(item.frame)
    instance = Instance(item.box, item.positive, item.negative, item.label)
    if not item.named and (own.y_first if own else frame.y_first):
        instance = _transposed(instance)
    return instance.scaled(frame.model.width / own.scale, frame.model.height / own.scale) if own else instance


def _to_corners(item: Written, box: str) -> Written:
    if box == "corners" or item.box is None or item.named or item.frame:
        return item
    x, y, width, height = item.box
    return replace(item, box=(x, y, x + width, y + height))


def _transposed(instance: Instance) -> Instance:
    box = instance.box and (instance.box[1], instance.box[0], instance.box[3], instance.box[2])
    return replace(
        instance,
        box=box,
        positive=tuple((y, x) for x, y in instance.positive),
        negative=tuple((y, x) for x, y in instance.negative),
    )


def frame_of(
    items: Sequence[Written], frame: Frame, others: Mapping[str, Frame], bounded: bool = True
) -> tuple[Frame, tuple[str, ...], str]:
    """Returns the frame that the numbers are in, warnings, and why no frame fits ("" if one does)."""
    loose = [item for item in items if not item.bad and not item.frame]
    if not loose or fits(loose, frame, bounded):
        return frame, (), ""
    if _all_unit(loose):
        found = Frame(Size(1, 1), frame.view, frame.y_first)
        return (
            found,
            ("all numbers are within 0 to 1: they were read as fractions of the picture, not as " + _describe(frame),),
            "",
        )
    fitting = {name: other for name, other in others.items() if fits(loose, other)}
    highest = max(abs(number) for item in loose for number in _numbers(item))
    beyond = f"its numbers (up to {highest:g}) cannot be {_describe(frame)}"
    if len(fitting) == 1:
        [(name, other)] = fitting.items()
        return other, (f"{beyond}: they were read as {_describe(other)}, the frame {name!r}",), ""
    if fitting:
        return frame, (), f"{beyond}; they may be in the frame {' or '.join(fitting)}"
    return frame, (), f"{beyond}, and they fit no other known frame"


def fits(items: Sequence[Written], frame: Frame, bounded: bool = True) -> bool:
    """Whether the numbers can be in a frame: not far beyond it, and not all within 0 to 1 if the frame is larger than 1.

    Only boxes count if there are any: a single point outside the frame is dropped later. Without boxes, points count.
    """
    unit = max(frame.model.width, frame.model.height) <= 1
    if not unit and _all_unit(items):
        return False
    if not bounded:
        return True
    xs, ys = [], []
    boxed = any(item.box for item in items)
    for item in items:
        instance = x_first(item, frame)
        spots = [instance.box[:2], instance.box[2:]] if instance.box else [] if boxed else [*instance.positive]
        xs += [spot[0] for spot in spots]
        ys += [spot[1] for spot in spots]
    share = UNIT_OVERSHOOT if unit else OVERSHOOT
    return all(
        -share * side <= min(values) and max(values) <= (1 + share) * side
        for values, side in ((xs, frame.model.width), (ys, frame.model.height))
    )


def _all_unit(items: Sequence[Written]) -> bool:
    numbers = [number for item in items for number in _numbers(item)]
    return min(numbers) >= -UNIT_OVERSHOOT and max(numbers) <= 1 + UNIT_OVERSHOOT


def _numbers(item: Written) -> list[float]:
    return [*item.box] if item.box else [number for point in item.positive for number in point]


def _describe(frame: Frame) -> str:
    width, height = frame.model.width, frame.model.height
    order = ", y first" if frame.y_first else ""
    if width == height and width in {each.scale for each in COORDINATES.values()}:
        return f"0 to {width} along both axes{order}"
    return f"pixels of the {width} x {height} picture{order}"
