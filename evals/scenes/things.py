"""Draws the objects of a scene and records each with its exact mask.

Each function takes the canvas, a position in pixels and a heading in radians, and returns whether there was room. Sizes are realistic,
in metres.
"""

import math

import numpy as np

from evals.scenes.canvas import Canvas, Colour, Shape, disc, rectangle
from evals.scenes.truth import LAND

CAR_COLOURS: tuple[Colour, ...] = (
    (0.92, 0.92, 0.92), (0.75, 0.76, 0.78), (0.12, 0.12, 0.13), (0.35, 0.36, 0.38), (0.6, 0.12, 0.1), (0.12, 0.22, 0.5),
)  # fmt: skip
ROOFS: tuple[Colour, ...] = (
    (0.62, 0.3, 0.22), (0.5, 0.5, 0.52), (0.72, 0.7, 0.66), (0.38, 0.3, 0.27), (0.85, 0.85, 0.83), (0.3, 0.34, 0.4),
)  # fmt: skip


def _shade(colour: Colour, by: float) -> Colour:
    return (colour[0] * by, colour[1] * by, colour[2] * by)


def _pick(canvas: Canvas, colours: tuple[Colour, ...]) -> Colour:
    base = colours[canvas.rng.integers(len(colours))]
    return _shade(base, canvas.rng.uniform(0.85, 1.1))


def _ship_hull(length: float, beam: float) -> Shape:
    a, b = length / 2, beam / 2
    return np.array([[-a, -b * 0.8], [-a * 0.9, -b], [a * 0.45, -b], [a * 0.8, -b * 0.55], [a, 0], [a * 0.8, b * 0.55],
                     [a * 0.45, b], [-a * 0.9, b], [-a, b * 0.8]])  # fmt: skip


def ship(
    canvas: Canvas, x: float, y: float, heading: float, length: float | None = None, *, sails: bool = False
) -> bool:
    rng = canvas.rng
    length = length or float(np.exp(rng.uniform(math.log(8), math.log(120))))
    beam = length * rng.uniform(0.15, 0.3 if length < 25 else 0.2)
    hull = [canvas.place(_ship_hull(length, beam), x, y, heading)]
    if not canvas.free(hull, land="water"):
        return False
    if sails:
        for i in range(1, 6):
            wake = rectangle(length * 0.5, beam * (0.8 + 0.35 * i)) - (length * (0.3 + 0.35 * i), 0)
            canvas.paint([canvas.place(wake, x, y, heading)], (0.75, 0.82, 0.85), opacity=0.4 / i, grain=0.05)
    canvas.cast_shadow(hull, length * 0.06)
    deck = _pick(canvas, ((0.9, 0.9, 0.9), (0.55, 0.2, 0.16), (0.25, 0.3, 0.38), (0.75, 0.72, 0.62), (0.2, 0.42, 0.35)))
    canvas.paint(hull, deck)
    inner = canvas.place(_ship_hull(length * 0.86, beam * 0.7), x, y, heading)
    canvas.paint([inner], _shade(deck, rng.uniform(0.7, 0.95)))
    cabin = rectangle(length * rng.uniform(0.12, 0.25), beam * 0.7) - (length * rng.uniform(0.15, 0.33), 0)
    canvas.paint([canvas.place(cabin, x, y, heading)], (0.93, 0.93, 0.92))
    if length > 40:
        for i in range(int(rng.integers(2, 5))):
            hatch = rectangle(length * 0.1, beam * 0.55) + (length * (0.0 + 0.12 * i) - length * 0.05, 0)
            canvas.paint([canvas.place(hatch, x, y, heading)], _pick(canvas, ROOFS))
    canvas.add("ship", hull, heading, length, beam)
    return True


def tank(canvas: Canvas, x: float, y: float, heading: float, radius: float | None = None) -> bool:
    rng = canvas.rng
    radius = radius or rng.uniform(4, 28)
    wall = [canvas.place(disc(radius, 36), x, y, heading)]
    if not canvas.free(wall):
        return False
    canvas.cast_shadow(wall, radius * rng.uniform(0.35, 0.8))
    colour = _pick(canvas, ((0.92, 0.92, 0.9), (0.8, 0.8, 0.78), (0.62, 0.62, 0.6), (0.7, 0.55, 0.42)))
    canvas.paint(wall, _shade(colour, 0.8))
    canvas.paint([canvas.place(disc(radius * 0.93, 36), x, y, heading)], colour)
    lit = np.array(canvas.shadow) / (np.hypot(*canvas.shadow) + 1e-6) * radius * 0.25 / canvas.gsd_m
    canvas.paint([canvas.place(disc(radius * 0.6, 30), x - lit[0], y - lit[1], 0)], _shade(colour, 1.08), opacity=0.6)
    if rng.random() < 0.5:
        canvas.paint(
            [canvas.place(rectangle(radius * 1.6, radius * 0.06), x, y, rng.uniform(0, 3))], _shade(colour, 0.7)
        )
    canvas.add("storage tank", wall, heading, radius * 2, radius * 2)
    return True


def _plane_shapes(length: float, span: float, jet: bool) -> list[Shape]:
    a, s = length / 2, span / 2
    w = length * 0.055
    body = np.array(
        [[-a, -w * 0.3], [-a * 0.7, -w], [a * 0.75, -w], [a, 0], [a * 0.75, w], [-a * 0.7, w], [-a, w * 0.3]]
    )
    sweep = length * (0.22 if jet else 0.03)
    root, tip = length * 0.2, length * (0.07 if jet else 0.12)
    wings = []
    for side in (-1, 1):
        wings.append(
            np.array(
                [[a * 0.25, 0], [a * 0.25 - sweep, side * s], [a * 0.25 - sweep - tip, side * s], [a * 0.25 - root, 0]]
            )
        )
        wings.append(
            np.array(
                [
                    [-a * 0.72, 0],
                    [-a * 0.85 - sweep * 0.3, side * s * 0.36],
                    [-a - sweep * 0.1, side * s * 0.36],
                    [-a * 0.95, 0],
                ]
            )
        )
    return [body, *wings]


def plane(canvas: Canvas, x: float, y: float, heading: float, length: float | None = None) -> bool:
    rng = canvas.rng
    length = length or float(rng.choice([rng.uniform(9, 16), rng.uniform(25, 45), rng.uniform(45, 72)]))
    jet = length > 20
    span = length * rng.uniform(0.85, 1.05) if jet else length * rng.uniform(1.1, 1.4)
    shapes = [canvas.place(s, x, y, heading) for s in _plane_shapes(length, span, jet)]
    if not canvas.free([canvas.place(rectangle(length * 1.05, span * 1.05), x, y, heading)]):
        return False
    canvas.cast_shadow(shapes, length * 0.1)
    colour = _pick(canvas, ((0.95, 0.95, 0.95), (0.82, 0.83, 0.85), (0.6, 0.62, 0.65), (0.4, 0.43, 0.4)))
    canvas.paint(shapes[1:], _shade(colour, 0.88))
    canvas.paint(shapes[:1], colour)
    if jet:
        for side in (-1, 1):
            engine = rectangle(length * 0.09, length * 0.045) + (length * 0.06, side * span * 0.17)
            canvas.paint([canvas.place(engine, x, y, heading)], _shade(colour, 0.6))
    canvas.add("plane", shapes, heading, length, span)
    return True


def helicopter(canvas: Canvas, x: float, y: float, heading: float) -> bool:
    length = canvas.rng.uniform(9, 16)
    body = disc(1.0, 20) * (length * 0.3, length * 0.1) + (length * 0.18, 0)
    boom = rectangle(length * 0.6, length * 0.05) - (length * 0.25, 0)
    tail = rectangle(length * 0.05, length * 0.18) - (length * 0.5, 0)
    turn = canvas.rng.uniform(0, 3)
    blades = [rectangle(length * 0.95, length * 0.03), rectangle(length * 0.03, length * 0.95)]
    c, s = math.cos(turn), math.sin(turn)
    blades = [b @ np.array([[c, s], [-s, c]]) + (length * 0.15, 0) for b in blades]
    shapes = [canvas.place(part, x, y, heading) for part in (body, boom, tail, *blades)]
    if not canvas.free([canvas.place(rectangle(length * 1.2, length), x, y, heading)]):
        return False
    canvas.cast_shadow(shapes[:3], 3)
    colour = _pick(canvas, ((0.85, 0.85, 0.85), (0.6, 0.12, 0.1), (0.3, 0.35, 0.25), (0.15, 0.2, 0.4)))
    canvas.paint(shapes[3:], (0.2, 0.2, 0.2), opacity=0.7)
    canvas.paint(shapes[:3], colour)
    canvas.add("helicopter", shapes, heading, length, length)
    return True


def building(canvas: Canvas, x: float, y: float, heading: float, length: float, width: float, height: float) -> bool:
    rng = canvas.rng
    parts = [rectangle(length, width)]
    if rng.random() < 0.3:
        parts.append(rectangle(length * 0.4, width * 0.8) + (length * rng.choice([-0.3, 0.3]), width * 0.6))
    shapes = [canvas.place(p, x, y, heading) for p in parts]
    if not canvas.free([canvas.place(rectangle(length + 3, width + 3), x, y, heading), *shapes[1:]]):
        return False
    canvas.cast_shadow(shapes, height)
    roof = _pick(canvas, ROOFS)
    canvas.paint(shapes, roof)
    if height < 9 and rng.random() < 0.7:  # a ridge: one half of the roof is brighter
        half = rectangle(length, width / 2) + (0, width / 4)
        canvas.paint([canvas.place(half, x, y, heading)], _shade(roof, rng.uniform(0.7, 0.85)))
    else:
        for _ in range(int(rng.integers(0, 6))):
            box = rectangle(rng.uniform(1, 4), rng.uniform(1, 3)) + rng.uniform(-0.4, 0.4, 2) * (length, width)
            canvas.paint([canvas.place(box, x, y, heading)], _pick(canvas, ROOFS))
    canvas.add("building", shapes, heading, length, width)
    return True


def car(canvas: Canvas, x: float, y: float, heading: float) -> bool:
    length, width = canvas.rng.uniform(4.0, 5.0), canvas.rng.uniform(1.7, 2.0)
    shape = [canvas.place(rectangle(length, width), x, y, heading)]
    if not canvas.free(shape):
        return False
    canvas.cast_shadow(shape, 1.4)
    colour = _pick(canvas, CAR_COLOURS)
    canvas.paint(shape, colour)
    glass = rectangle(length * 0.14, width * 0.8) + (length * 0.18, 0)
    canvas.paint([canvas.place(glass, x, y, heading)], (0.12, 0.14, 0.17), opacity=0.8)
    canvas.add("small vehicle", shape, heading, length, width)
    return True


def truck(canvas: Canvas, x: float, y: float, heading: float) -> bool:
    length, width = canvas.rng.uniform(8, 18), canvas.rng.uniform(2.4, 2.9)
    shape = [canvas.place(rectangle(length, width), x, y, heading)]
    if not canvas.free(shape):
        return False
    canvas.cast_shadow(shape, 3.5)
    canvas.paint(shape, _pick(canvas, ((0.93, 0.93, 0.93), (0.7, 0.7, 0.68), (0.2, 0.3, 0.6), (0.65, 0.15, 0.12))))
    cab = rectangle(length * 0.16, width) + (length * 0.42, 0)
    canvas.paint([canvas.place(cab, x, y, heading)], _pick(canvas, CAR_COLOURS))
    canvas.add("large vehicle", shape, heading, length, width)
    return True


def _lines(
    canvas: Canvas, shapes: list[Shape], x: float, y: float, heading: float, colour: Colour = (0.95, 0.95, 0.93)
) -> None:
    canvas.paint([canvas.place(s, x, y, heading) for s in shapes], colour, opacity=0.85)


def _frame(length: float, width: float, line: float) -> list[Shape]:
    return [
        rectangle(length, line) + (0, width / 2), rectangle(length, line) - (0, width / 2),
        rectangle(line, width) + (length / 2, 0), rectangle(line, width) - (length / 2, 0),
    ]  # fmt: skip


def tennis_court(canvas: Canvas, x: float, y: float, heading: float) -> bool:
    pad = [canvas.place(rectangle(36, 18), x, y, heading)]
    if not canvas.free(pad):
        return False
    outer, inner = [((0.2, 0.42, 0.3), (0.22, 0.34, 0.55)), ((0.6, 0.35, 0.25), (0.25, 0.45, 0.3)), ((0.3, 0.5, 0.35), (0.28, 0.46, 0.33)),
                    ((0.62, 0.4, 0.28), (0.64, 0.42, 0.3))][canvas.rng.integers(4)]  # fmt: skip
    canvas.cover_ground("pavement", pad, outer)
    court = [canvas.place(rectangle(25, 12), x, y, heading)]
    canvas.paint(court, inner)
    line = max(0.15, canvas.gsd_m * 0.5)
    _lines(
        canvas,
        [
            *_frame(23.8, 11, line),
            *_frame(12.8, 8.2, line),
            rectangle(line, 11),
            rectangle(23.8, line) - (0, 4.1),
            rectangle(23.8, line) + (0, 4.1),
        ],
        x,
        y,
        heading,
    )
    canvas.add("tennis court", court, heading, 25, 12)
    return True


def basketball_court(canvas: Canvas, x: float, y: float, heading: float) -> bool:
    court = [canvas.place(rectangle(30, 17), x, y, heading)]
    if not canvas.free(court):
        return False
    canvas.cover_ground(
        "pavement", court, _pick(canvas, ((0.55, 0.3, 0.22), (0.5, 0.5, 0.5), (0.3, 0.42, 0.55), (0.35, 0.5, 0.38)))
    )
    line = max(0.15, canvas.gsd_m * 0.5)
    ring = np.concatenate([disc(1.8, 20), disc(1.8 - line, 20)[::-1]])
    keys = [_frame(5.8, 4.9, line), _frame(5.8, 4.9, line)]
    moved = [part + (11.1, 0) for part in keys[0]] + [part - (11.1, 0) for part in keys[1]]
    _lines(canvas, [*_frame(28, 15, line), rectangle(line, 15), ring, *moved], x, y, heading)
    canvas.add("basketball court", court, heading, 30, 17)
    return True


def soccer_field(canvas: Canvas, x: float, y: float, heading: float, scale: float = 1.0) -> bool:
    length, width = 105 * scale, 68 * scale
    field = [canvas.place(rectangle(length, width), x, y, heading)]
    if not canvas.free(field):
        return False
    _pitch(canvas, x, y, heading, length, width)
    canvas.add("soccer ball field", field, heading, length, width)
    return True


def _pitch(canvas: Canvas, x: float, y: float, heading: float, length: float, width: float) -> None:
    green = _pick(canvas, ((0.3, 0.48, 0.22), (0.25, 0.42, 0.2), (0.38, 0.5, 0.26), (0.2, 0.45, 0.25)))
    canvas.cover_ground("vegetation", [canvas.place(rectangle(length, width), x, y, heading)], green)
    if canvas.rng.random() < 0.6:
        stripes = int(canvas.rng.integers(8, 14))
        bands = [
            rectangle(length / stripes, width) + ((i + 0.5) * length / stripes - length / 2, 0)
            for i in range(0, stripes, 2)
        ]
        canvas.paint([canvas.place(b, x, y, heading) for b in bands], _shade(green, 1.12), opacity=0.6)
    line = max(0.3, canvas.gsd_m * 0.5)
    ring = np.concatenate([disc(width * 0.135, 28), disc(width * 0.135 - line, 28)[::-1]])
    areas = [
        part + (side * (length / 2 - length * 0.08), 0)
        for side in (-1, 1)
        for part in _frame(length * 0.16, width * 0.59, line)
    ]
    _lines(
        canvas, [*_frame(length * 0.97, width * 0.96, line), rectangle(line, width * 0.96), ring, *areas], x, y, heading
    )


def track_field(canvas: Canvas, x: float, y: float, heading: float) -> bool:
    scale = canvas.rng.uniform(0.75, 1.0)
    straight, radius = 85 * scale, 46 * scale

    def oval(r: float) -> Shape:
        bend = np.linspace(-math.pi / 2, math.pi / 2, 24)
        right = np.stack([np.cos(bend) * r + straight / 2, np.sin(bend) * r], axis=1)
        return np.concatenate([right, -right])

    outer = [canvas.place(oval(radius), x, y, heading)]
    if not canvas.free(outer):
        return False
    canvas.cover_ground(
        "pavement", outer, _pick(canvas, ((0.62, 0.28, 0.2), (0.7, 0.38, 0.28), (0.3, 0.4, 0.55), (0.5, 0.42, 0.38)))
    )
    line = max(0.12, canvas.gsd_m * 0.3)
    for lane in np.linspace(radius * 0.84, radius * 0.98, 5):
        ring = np.concatenate([oval(lane), oval(lane - line)[::-1]])
        canvas.paint([canvas.place(ring, x, y, heading)], (0.92, 0.88, 0.85), opacity=0.5)
    canvas.cover_ground("vegetation", [canvas.place(oval(radius * 0.8), x, y, heading)], (0.32, 0.46, 0.24))
    inside = canvas.rng.random() < 0.7
    length, width = straight * 1.15, radius * 1.35
    if inside:
        _pitch(canvas, x, y, heading, length, width)
    canvas.add("ground track field", outer, heading, straight + 2 * radius, 2 * radius)
    if inside:
        canvas.add("soccer ball field", [canvas.place(rectangle(length, width), x, y, heading)], heading, length, width)
    return True


def baseball_diamond(canvas: Canvas, x: float, y: float, heading: float) -> bool:
    radius = canvas.rng.uniform(30, 60)
    angle = np.linspace(-math.pi / 4, math.pi / 4, 16)
    arc = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    fan = np.concatenate([[[0.0, 0.0]], arc * radius]) - (radius * 0.5, 0)
    whole = [canvas.place(fan, x, y, heading)]
    if not canvas.free(whole):
        return False
    dirt = _pick(canvas, ((0.68, 0.5, 0.36), (0.72, 0.58, 0.44), (0.6, 0.42, 0.3)))
    outfield = np.concatenate([[[0.0, 0.0]], arc * radius * 1.7]) - (radius * 0.5, 0)
    canvas.cover_ground("vegetation", [canvas.place(outfield, x, y, heading)], (0.32, 0.47, 0.24))
    canvas.cover_ground("bare land", whole, dirt)
    side = radius * 0.48
    square = np.array([[0, 0], [side, -side], [2 * side, 0], [side, side]]) * 0.68 + (radius * 0.12 - radius * 0.5, 0)
    canvas.cover_ground("vegetation", [canvas.place(square, x, y, heading)], (0.34, 0.5, 0.26))
    canvas.paint([canvas.place(disc(radius * 0.05, 14) + (radius * 0.45 - radius * 0.5, 0), x, y, heading)], dirt)
    canvas.add("baseball diamond", whole, heading, radius, radius)
    return True


def pool(canvas: Canvas, x: float, y: float, heading: float) -> bool:
    length = canvas.rng.uniform(7, 26)
    width = length * canvas.rng.uniform(0.4, 0.6)
    basin = disc(1.0, 24) * (length / 2, width / 2) if canvas.rng.random() < 0.4 else rectangle(length, width)
    rim = [canvas.place(basin * (1 + 2.4 / length, 1 + 2.4 / width), x, y, heading)]
    if not canvas.free(rim):
        return False
    canvas.cover_ground("pavement", rim, _pick(canvas, ((0.78, 0.75, 0.7), (0.65, 0.6, 0.55))))
    water = [canvas.place(basin, x, y, heading)]
    canvas.paint(water, _pick(canvas, ((0.2, 0.62, 0.72), (0.25, 0.55, 0.75), (0.35, 0.7, 0.75))), grain=0.03)
    canvas.add("swimming pool", water, heading, length, width)
    return True


def tree(canvas: Canvas, x: float, y: float) -> None:
    radius = canvas.rng.uniform(1.5, 5)
    crown = canvas.place(disc(radius, 11) * canvas.rng.uniform(0.75, 1.15, (11, 1)), x, y, 0)
    row, column = min(max(int(y), 0), canvas.size - 1), min(max(int(x), 0), canvas.size - 1)
    if LAND[canvas.land[row, column]] in ("vegetation", "bare land") and canvas.free([crown]):
        canvas.cast_shadow([crown], radius * 1.6)
        green = _pick(canvas, ((0.16, 0.28, 0.12), (0.22, 0.34, 0.15), (0.28, 0.36, 0.18)))
        canvas.cover_ground("vegetation", [crown], green, grain=0.05)
        lit = np.array(canvas.shadow) * radius * 0.3 / canvas.gsd_m
        canvas.paint(
            [canvas.place(disc(radius * 0.5, 9), x - lit[0], y - lit[1], 0)],
            _shade(green, 1.4),
            opacity=0.6,
            grain=0.05,
        )
