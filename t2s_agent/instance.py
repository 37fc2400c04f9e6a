"""The language between prompters and segmenters: one object as a box and points, in View pixels."""

from dataclasses import dataclass, replace

Point = tuple[float, float]  # x, y
Box = tuple[float, float, float, float]  # x1, y1, x2, y2


@dataclass(frozen=True, slots=True)
class Instance:
    """One object to segment: x right, y down, continuous; pixel (0, 0) covers [0, 1) x [0, 1).

    Outside of a prompter or segmenter the frame is always View pixels. `box` is None where a prompter
    was asked for points only; then there is at least one positive point.
    """

    box: Box | None
    positive: tuple[Point, ...] = ()
    negative: tuple[Point, ...] = ()
    label: str = ""
    score: float | None = None

    def scaled(self, sx: float, sy: float) -> "Instance":
        """The same instance in a frame whose x is `sx` times and whose y is `sy` times this one's."""
        box = self.box and (self.box[0] * sx, self.box[1] * sy, self.box[2] * sx, self.box[3] * sy)
        return replace(
            self,
            box=box,
            positive=tuple((x * sx, y * sy) for x, y in self.positive),
            negative=tuple((x * sx, y * sy) for x, y in self.negative),
        )

    def moved(self, dx: float, dy: float) -> "Instance":
        """The same instance in a frame whose origin lies at (-dx, -dy) of this one's."""
        box = self.box and (self.box[0] + dx, self.box[1] + dy, self.box[2] + dx, self.box[3] + dy)
        return replace(
            self,
            box=box,
            positive=tuple((x + dx, y + dy) for x, y in self.positive),
            negative=tuple((x + dx, y + dy) for x, y in self.negative),
        )
