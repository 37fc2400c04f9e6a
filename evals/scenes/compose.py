"""Composes scenes: places ground and objects by the theme of the scene."""

import math
from collections.abc import Callable

import numpy as np
from affine import Affine
from rasterio.crs import CRS

from evals.scenes import things
from evals.scenes.canvas import Canvas, Colour, disc, rectangle
from evals.scenes.truth import SceneTruth, facts_of

ASPHALT: Colour = (0.36, 0.36, 0.37)
CONCRETE: Colour = (0.62, 0.61, 0.58)
GRASS: tuple[Colour, ...] = ((0.34, 0.43, 0.24), (0.42, 0.46, 0.28), (0.28, 0.37, 0.2), (0.5, 0.48, 0.32))
SOIL: tuple[Colour, ...] = ((0.58, 0.5, 0.4), (0.66, 0.6, 0.5), (0.5, 0.42, 0.34), (0.72, 0.66, 0.55))
WATER: tuple[Colour, ...] = (
    (0.1, 0.2, 0.26),
    (0.14, 0.26, 0.28),
    (0.2, 0.3, 0.3),
    (0.08, 0.16, 0.24),
    (0.22, 0.34, 0.36),
)
DEMO_SEED = 20_260_211

Place = tuple[float, float]


def _choice(canvas: Canvas, colours: tuple[Colour, ...]) -> Colour:
    return colours[canvas.rng.integers(len(colours))]


def _random_position(canvas: Canvas) -> Place:
    """Returns a random position in the scene or just outside, so that some objects are cut by the border."""
    x, y = canvas.rng.uniform(-0.02, 1.02, 2) * canvas.size
    return float(x), float(y)


def _place_at_random(canvas: Canvas, times: int, act: Callable[[float, float], bool]) -> int:
    """Calls `act` at random positions and returns how often it found room."""
    return sum(act(*_random_position(canvas)) for _ in range(times))


def _land(canvas: Canvas) -> None:
    if canvas.rng.random() < 0.65:
        canvas.ground("vegetation", _choice(canvas, GRASS))
    else:
        canvas.ground("bare land", _choice(canvas, SOIL))


def _road(canvas: Canvas, x: float, y: float, heading: float, width: float = 9.0, *, cars: float = 0.5) -> None:
    """Paints a straight road through the whole scene, with markings and traffic."""
    reach = canvas.size * canvas.gsd_m * 1.5
    canvas.cover_ground("road", [canvas.place(rectangle(2 * reach, width), x, y, heading)], _shaded(canvas, ASPHALT))
    dashes = [rectangle(3, 0.25) + (d, 0) for d in np.arange(-reach, reach, 9.0)]
    canvas.paint([canvas.place(d, x, y, heading) for d in dashes], (0.85, 0.84, 0.8), opacity=0.7)
    for along in np.arange(-reach, reach, 14.0):
        if canvas.rng.random() < cars * 0.35:
            lane = canvas.rng.choice([-1, 1])
            spot = canvas.point_at(along + canvas.rng.uniform(-4, 4), lane * width / 4, x, y, heading)
            act = things.truck if canvas.rng.random() < 0.2 else things.car
            act(canvas, *spot, heading + (0 if lane > 0 else math.pi))


def _shaded(canvas: Canvas, colour: Colour) -> Colour:
    by = canvas.rng.uniform(0.75, 1.3)
    return (colour[0] * by, colour[1] * by, colour[2] * by)


def _trees(canvas: Canvas, count: int) -> None:
    for _ in range(count):
        things.tree(canvas, *_random_position(canvas))


def harbour(canvas: Canvas) -> None:
    """Water with a quay, jetties with moored boats, ships under way; behind the quay a road, sheds and tanks."""
    rng, size, g = canvas.rng, canvas.size, canvas.gsd_m
    _land(canvas)
    heading = rng.uniform(0, 2 * math.pi)
    shift = rng.uniform(-0.2, 0.15) * size
    middle = (size / 2 - math.sin(heading) * shift, size / 2 + math.cos(heading) * shift)
    extent = size * g * 1.5
    shore = canvas.place(rectangle(2 * extent, extent) + (0, extent / 2), *middle, heading)
    drawn = canvas.alpha([shore])
    if drawn is not None:
        alpha, y, x = drawn
        where = np.zeros(canvas.land.shape, bool)
        where[y : y + alpha.shape[0], x : x + alpha.shape[1]] = alpha >= 0.5
        canvas.ground("water", _choice(canvas, WATER), where, strength=0.03)
    quay = rng.uniform(8, 25)
    canvas.cover_ground(
        "pavement",
        [canvas.place(rectangle(2 * extent, quay) - (0, quay / 2), *middle, heading)],
        _shaded(canvas, CONCRETE),
    )
    _road(canvas, *canvas.point_at(0, -quay - 10, *middle, heading), heading, cars=0.7)
    for along in np.arange(-extent / 2, extent / 2, rng.uniform(45, 90)):
        if rng.random() < 0.6:
            length, width = rng.uniform(25, 80), rng.uniform(3, 9)
            jetty = [canvas.place(rectangle(width, length) + (along, length / 2), *middle, heading)]
            canvas.cast_shadow(jetty, 1.5)
            canvas.paint(jetty, _shaded(canvas, CONCRETE))
            canvas.add("harbor", jetty, heading + math.pi / 2, length, width)
            boat = rng.uniform(8, 16)
            for out in np.arange(boat, length - boat / 2, boat * 0.6):
                for side in (-1, 1):
                    if rng.random() < 0.45:
                        spot = canvas.point_at(along + side * (width / 2 + boat * 0.62), out, *middle, heading)
                        things.ship(canvas, *spot, heading + (0 if side > 0 else math.pi), boat)
    _place_at_random(
        canvas,
        int(rng.integers(3, 14)),
        lambda x, y: things.ship(canvas, x, y, rng.uniform(0, 7), sails=rng.random() < 0.4),
    )
    if rng.random() < 0.6:
        base = rng.uniform(6, 20)
        _place_at_random(
            canvas,
            16,
            lambda x, y: (
                _is_free_land(canvas, x, y, base) and things.tank(canvas, x, y, 0, base * rng.uniform(0.8, 1.2))
            ),
        )
    _place_at_random(canvas, 14, lambda x, y: _is_free_land(canvas, x, y, 20) and _shed(canvas, x, y, heading))
    _trees(canvas, 25)


def _is_free_land(canvas: Canvas, x: float, y: float, around_m: float) -> bool:
    """Returns whether the ground around a position is bare land or vegetation."""
    r = around_m / canvas.gsd_m
    x0, x1 = int(max(0, x - r)), int(min(canvas.size, x + r))
    y0, y1 = int(max(0, y - r)), int(min(canvas.size, y + r))
    part = canvas.land[y0:y1, x0:x1]
    return bool(part.size) and bool(np.isin(part, (0, 1)).mean() > 0.97)


def _shed(canvas: Canvas, x: float, y: float, heading: float) -> bool:
    rng = canvas.rng
    return things.building(canvas, x, y, heading, rng.uniform(20, 70), rng.uniform(12, 30), rng.uniform(6, 12))


def tank_farm(canvas: Canvas) -> None:
    """Rows of tanks in their bunds, pipes, a road, sheds."""
    rng, size, g = canvas.rng, canvas.size, canvas.gsd_m
    _land(canvas)
    _road(canvas, *_random_position(canvas), rng.uniform(0, 7))
    heading, radius = rng.uniform(0, 7), rng.uniform(6, 24)
    pitch = radius * rng.uniform(2.5, 3.4)
    n = int(size * g / pitch) + 1
    for i in range(-n, n):
        for j in range(-n, n):
            if rng.random() < 0.55:
                x, y = canvas.point_at(i * pitch, j * pitch, size / 2, size / 2, heading)
                if not (-20 < x < size + 20 and -20 < y < size + 20) or not _is_free_land(canvas, x, y, radius * 1.2):
                    continue
                if rng.random() < 0.5:
                    canvas.cover_ground(
                        "bare land",
                        [canvas.place(rectangle(pitch * 0.95, pitch * 0.95), x, y, heading)],
                        _choice(canvas, SOIL),
                    )
                things.tank(canvas, x, y, heading, radius * rng.choice([1.0, 1.0, 0.7, 0.5]))
    _place_at_random(canvas, 8, lambda x, y: _is_free_land(canvas, x, y, 20) and _shed(canvas, x, y, heading))
    _trees(canvas, 15)


def airfield(canvas: Canvas) -> None:
    """A runway, an apron with planes at angles, helicopters, hangars."""
    rng, size, g = canvas.rng, canvas.size, canvas.gsd_m
    _land(canvas)
    heading = rng.uniform(0, 7)
    extent = size * g * 1.5
    if rng.random() < 0.6:
        x, y = _random_position(canvas)
        canvas.cover_ground(
            "pavement",
            [canvas.place(rectangle(2 * extent, rng.uniform(25, 45)), x, y, heading)],
            _shaded(canvas, ASPHALT),
        )
        dashes = [rectangle(30, 0.9) + (d, 0) for d in np.arange(-extent, extent, 50)]
        canvas.paint([canvas.place(d, x, y, heading) for d in dashes], (0.9, 0.9, 0.88))
    apron = rng.uniform(0.4, 1.0) * size * g
    x, y = _random_position(canvas)
    canvas.cover_ground(
        "pavement", [canvas.place(rectangle(apron * 1.6, apron), x, y, heading)], _shaded(canvas, CONCRETE)
    )
    kind = float(rng.choice([12, 18, 35, 55])) * rng.uniform(0.85, 1.2)
    facing = rng.uniform(0, 7)
    _place_at_random(
        canvas,
        int(rng.integers(5, 30)),
        lambda x, y: things.plane(canvas, x, y, facing + rng.normal(0, 0.4), kind * rng.uniform(0.8, 1.25)),
    )
    if rng.random() < 0.45:
        _place_at_random(
            canvas, int(rng.integers(3, 14)), lambda x, y: things.helicopter(canvas, x, y, facing + rng.normal(0, 0.3))
        )
    _place_at_random(canvas, 5, lambda x, y: _is_free_land(canvas, x, y, 25) and _shed(canvas, x, y, heading))
    _place_at_random(canvas, 6, lambda x, y: things.truck(canvas, x, y, rng.uniform(0, 7)))
    _trees(canvas, 10)


def sports(canvas: Canvas) -> None:
    """Tracks, pitches, courts, diamonds and pools between lawns and car parks."""
    rng = canvas.rng
    canvas.ground("vegetation", _choice(canvas, GRASS))
    heading = rng.uniform(0, 7)
    acts = [
        (things.track_field, 2), (things.soccer_field, 2), (things.baseball_diamond, 4),
        (things.tennis_court, 14), (things.basketball_court, 8), (things.pool, 5),
    ]  # fmt: skip
    for index in rng.permutation(len(acts)):
        act, times = acts[index]
        if rng.random() < 0.6:
            x, y = _random_position(canvas)
            for i in range(times):  # courts come in rows
                step = canvas.point_at((i % 4) * 38, (i // 4) * 21, x, y, heading)
                if times > 6 and rng.random() < 0.8:
                    act(canvas, *step, heading)
                else:
                    act(canvas, *_random_position(canvas), heading + rng.choice([0, math.pi / 2]))
    _road(canvas, *_random_position(canvas), heading, cars=0.4) if not canvas.placed else None
    _place_at_random(
        canvas,
        6,
        lambda x, y: (
            _is_free_land(canvas, x, y, 12)
            and things.building(canvas, x, y, heading, rng.uniform(10, 30), rng.uniform(8, 16), rng.uniform(4, 9))
        ),
    )
    _trees(canvas, 60)


def residential(canvas: Canvas) -> None:
    """Streets with cars, houses with gardens and pools, trees."""
    rng, size, g = canvas.rng, canvas.size, canvas.gsd_m
    canvas.ground("vegetation", _choice(canvas, GRASS))
    heading, block = rng.uniform(0, 7), rng.uniform(55, 90)
    n = int(size * g / block) + 1
    for i in range(-n, n + 1):
        x, y = canvas.point_at(0, i * block, size / 2, size / 2, heading)
        _road(canvas, x, y, heading, 7, cars=0.5)
    if rng.random() < 0.7:
        _road(canvas, *_random_position(canvas), heading + math.pi / 2, 7, cars=0.4)
    for i in range(-n, n + 1):
        for along in np.arange(-size * g, size * g, rng.uniform(17, 28)):
            for side in (-1, 1):
                spot = canvas.point_at(along, i * block + side * rng.uniform(14, 19), size / 2, size / 2, heading)
                if rng.random() < 0.8 and _is_free_land(canvas, *spot, 7):
                    things.building(canvas, *spot, heading, rng.uniform(9, 17), rng.uniform(7, 11), rng.uniform(4, 8))
    _place_at_random(canvas, 25, lambda x, y: _is_free_land(canvas, x, y, 6) and things.pool(canvas, x, y, heading))
    _trees(canvas, 120)


def roads(canvas: Canvas) -> None:
    """A river with a bridge, or a roundabout; roads, trucks."""
    rng, size, g = canvas.rng, canvas.size, canvas.gsd_m
    _land(canvas)
    extent = size * g * 1.5
    heading = rng.uniform(0, 7)
    if rng.random() < 0.6:
        width = rng.uniform(25, 90)
        x, y = rng.uniform(0.2, 0.8, 2) * size
        canvas.cover_ground(
            "water", [canvas.place(rectangle(2 * extent, width), x, y, heading)], _choice(canvas, WATER), grain=0.02
        )
        for _ in range(int(rng.integers(1, 3))):
            span = rng.uniform(7, 22)
            along = rng.uniform(-0.3, 0.3) * size * g
            turn = heading + math.pi / 2 + rng.normal(0, 0.15)
            bx, by = canvas.point_at(along, 0, x, y, heading)
            deck = [canvas.place(rectangle(width * 1.12, span), bx, by, turn)]
            if canvas.free(deck):
                canvas.cover_ground(
                    "road", [canvas.place(rectangle(2 * extent, span), bx, by, turn)], _shaded(canvas, ASPHALT)
                )
                canvas.cast_shadow(deck, 5)
                canvas.paint(deck, _shaded(canvas, CONCRETE))
                canvas.paint(
                    [canvas.place(rectangle(width * 1.12, span * 0.75), bx, by, turn)], _shaded(canvas, ASPHALT)
                )
                canvas.add("bridge", deck, turn, width * 1.12, span)
        _place_at_random(canvas, 5, lambda x, y: things.ship(canvas, x, y, heading, rng.uniform(8, 30)))
    if rng.random() < 0.6:
        x, y = rng.uniform(0.15, 0.85, 2) * size
        radius = rng.uniform(14, 32)
        ring = [canvas.place(disc(radius, 40), x, y, 0)]
        if canvas.free(ring) and _is_free_land(canvas, x, y, radius):
            for arm in range(int(rng.integers(3, 5))):
                turn = heading + arm * math.pi / 2
                half = rectangle(extent, 8) + (extent / 2, 0)
                canvas.cover_ground("road", [canvas.place(half, x, y, turn)], _shaded(canvas, ASPHALT))
            canvas.cover_ground("road", ring, _shaded(canvas, ASPHALT))
            canvas.cover_ground("vegetation", [canvas.place(disc(radius * 0.6, 36), x, y, 0)], _choice(canvas, GRASS))
            canvas.add("roundabout", ring, 0.0, 2 * radius, 2 * radius)
    else:
        _road(canvas, *_random_position(canvas), rng.uniform(0, 7), 12, cars=0.8)
    _place_at_random(
        canvas,
        8,
        lambda x, y: (
            _is_free_land(canvas, x, y, 10)
            and things.building(canvas, x, y, heading, rng.uniform(10, 30), rng.uniform(8, 18), rng.uniform(4, 10))
        ),
    )
    _trees(canvas, 60)


def parking(canvas: Canvas) -> None:
    """Car parks with rows of cars or trucks beside large roofs."""
    rng = canvas.rng
    canvas.ground("pavement", _shaded(canvas, ASPHALT), strength=0.03)
    heading = rng.uniform(0, 7)
    _place_at_random(canvas, 4, lambda x, y: _shed_big(canvas, x, y, heading))
    big = rng.random() < 0.3
    bay, row = (4.0, 24.0) if big else (2.7, 8.5)
    full = rng.uniform(0.15, 0.8)
    x, y = _random_position(canvas)
    for i in range(int(rng.integers(2, 9))):
        for j in range(int(rng.integers(6, 30))):
            if rng.random() < full:
                spot = canvas.point_at(j * bay - 30, i * row - 20, x, y, heading)
                (things.truck if big else things.car)(canvas, *spot, heading + math.pi / 2)
    _place_at_random(canvas, 8, lambda x, y: things.car(canvas, x, y, heading))
    _trees(canvas, 20)


def _shed_big(canvas: Canvas, x: float, y: float, heading: float) -> bool:
    rng = canvas.rng
    return things.building(canvas, x, y, heading, rng.uniform(40, 110), rng.uniform(25, 60), rng.uniform(8, 14))


def countryside(canvas: Canvas) -> None:
    """Fields, trees, a pond, a few farm buildings: for questions with the answer that there is none."""
    rng, size, g = canvas.rng, canvas.size, canvas.gsd_m
    _land(canvas)
    heading = rng.uniform(0, 7)
    for _ in range(int(rng.integers(3, 9))):
        x, y = _random_position(canvas)
        kind, colours = (("vegetation", GRASS), ("bare land", SOIL))[rng.integers(2)]
        field = rectangle(rng.uniform(0.2, 0.6) * size * g, rng.uniform(0.15, 0.5) * size * g)
        canvas.cover_ground(kind, [canvas.place(field, x, y, heading)], _choice(canvas, colours))
    if rng.random() < 0.5:
        x, y = _random_position(canvas)
        radius = rng.uniform(10, 60)
        shape = disc(radius, 24) * rng.uniform(0.7, 1.2, (24, 1))
        canvas.cover_ground("water", [canvas.place(shape, x, y, 0)], _choice(canvas, WATER), grain=0.02)
    if rng.random() < 0.6:
        _road(canvas, *_random_position(canvas), heading, 6, cars=0.2)
    _place_at_random(
        canvas,
        5,
        lambda x, y: (
            _is_free_land(canvas, x, y, 12)
            and things.building(canvas, x, y, heading, rng.uniform(9, 25), rng.uniform(7, 14), rng.uniform(4, 8))
        ),
    )
    _trees(canvas, int(rng.integers(20, 200)))


THEMES: dict[str, tuple[Callable[[Canvas], None], tuple[float, float]]] = {
    # name: function, and the range of ground sample distances at which its objects are visible
    "harbour": (harbour, (0.3, 0.9)),
    "tank farm": (tank_farm, (0.3, 1.0)),
    "airfield": (airfield, (0.2, 0.8)),
    "sports": (sports, (0.25, 0.8)),
    "residential": (residential, (0.15, 0.5)),
    "roads": (roads, (0.2, 0.6)),
    "parking": (parking, (0.1, 0.35)),
    "countryside": (countryside, (0.3, 1.0)),
}


def draw(seed: int, *, size: int = 448, gsd_m: float | None = None, theme: str | None = None) -> SceneTruth:
    """Returns the scene of a seed: the same seed, size, resolution and theme give the same pixels.

    `size` is its side in pixels, `gsd_m` the metres of a pixel (default: random in the theme's range), `theme` one of THEMES.
    """
    rng = np.random.default_rng([seed, size])
    theme = theme or list(THEMES)[rng.integers(len(THEMES))]
    compose, (finest, coarsest) = THEMES[theme]
    gsd = gsd_m or round(float(np.exp(rng.uniform(math.log(finest), math.log(coarsest)))), 3)
    canvas = Canvas(size, gsd, rng)
    compose(canvas)
    return _scene_truth(canvas, seed, theme)


def _scene_truth(canvas: Canvas, seed: int, theme: str) -> SceneTruth:
    rng = canvas.rng
    south = rng.random() < 0.3
    crs = CRS.from_epsg((32700 if south else 32600) + int(rng.integers(1, 61)))
    east, north = rng.uniform(300_000, 700_000), rng.uniform(4_000_000, 6_000_000)
    transform = Affine(canvas.gsd_m, 0, round(east), 0, -canvas.gsd_m, round(north))
    facts = facts_of(canvas.placed, canvas.gsd_m)
    return SceneTruth(
        seed, theme, canvas.sensor_image(), canvas.land, canvas.placed, canvas.gsd_m, crs, transform, facts
    )


def demo() -> SceneTruth:
    """Returns the demo scene, 640 x 640 px at 0.5 m: a harbour with rows of tanks. It is synthetic, at coordinates near Rotterdam."""
    canvas = Canvas(640, 0.5, np.random.default_rng(DEMO_SEED))
    canvas.shadow = (0.45, 0.55)
    rng = canvas.rng
    canvas.ground("vegetation", GRASS[0])
    where = np.zeros(canvas.land.shape, bool)
    where[:290] = True
    canvas.ground("water", WATER[0], where, strength=0.03)
    canvas.cover_ground("pavement", [rectangle(700, 36) + (320, 308)], CONCRETE)
    _road(canvas, 320, 356, 0.0, 9, cars=0.9)
    for x in (150, 430):
        jetty = [rectangle(12, 130) + (x, 225)]
        canvas.cast_shadow(jetty, 1.5)
        canvas.paint(jetty, CONCRETE)
        canvas.add("harbor", jetty, math.pi / 2, 65, 6)
        for out in (185, 212, 239, 266):
            for side in (-1, 1):
                if rng.random() < 0.75:
                    things.ship(canvas, x + side * 22, out, 0 if side > 0 else math.pi, 13)
    things.ship(canvas, 300, 110, 0.25, 78, sails=True)
    things.ship(canvas, 545, 70, 2.9, 42, sails=True)
    things.ship(canvas, 290, 262, 0.0, 62)
    for row, y in enumerate((440, 520)):
        for column in range(4 - row):
            canvas.cover_ground("bare land", [rectangle(64, 64) + (90 + 76 * column, y)], SOIL[1])
            things.tank(canvas, 90 + 76 * column, y, 0.0, 13 if row == 0 else 10)
    things.building(canvas, 470, 440, 0.0, 60, 24, 9)
    things.building(canvas, 590, 445, 0.0, 30, 22, 7)
    things.building(canvas, 440, 540, 0.0, 26, 14, 6)
    things.building(canvas, 530, 545, 0.0, 34, 16, 6)
    _trees(canvas, 60)
    truth = _scene_truth(canvas, DEMO_SEED, "harbour")
    transform = Affine(0.5, 0, 592_000, 0, -0.5, 5_752_000)
    crs = CRS.from_epsg(32631)
    return SceneTruth(DEMO_SEED, "harbour", truth.rgb, truth.land, truth.objects, 0.5, crs, transform, truth.facts)
