"""The right answers, computed from the exact shapes with shapely and pyproj alone: no measuring code of the product is used.

A question says which things it is about by a `Selection` and what is asked of them by a `Truth`. Areas, lengths, perimeters and
distances are geodesic on the WGS 84 ellipsoid.

A question must not hang on what a mask of pixels cannot know. `Exact.shift_px` moves every threshold by a part of a pixel: a good
question keeps its answer. Where the first of several is asked for, `Worked` says by how much it is first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod

from evals.chains.scenes import Scene
from evals.chains.selection import Selection, Truth

WGS84 = Geod(ellps="WGS84")
SHARE_OF_A_PIXEL = 0.01  # by which a pixel of `shift_px` moves a threshold of an area or a length
Floats = NDArray[np.float64]


@dataclass(slots=True)
class Worked:
    """A right answer; by how many pixels, and by which share, the first thing was ahead of the second where that was asked."""

    answer: Any = None
    margin_px: float = float("inf")
    margin_share: float = float("inf")
    uncertain: float = 0.0  # half a pixel along every boundary, where an area is compared


@dataclass(eq=False)
class Exact:
    """Exact measures of a scene's things, each an array in the things' order."""

    scene: Scene
    shift_px: float = 0.0  # thresholds are moved by so many pixels, to see what hangs on them
    worked: Worked = field(default_factory=Worked)

    @cached_property
    def ground(self) -> NDArray[np.object_]:
        """Outlines in metres of the scene's CRS."""
        t = self.scene.transform
        return np.array(
            [
                shapely.transform(each.outline, lambda p: np.stack(t @ (p[:, 0], p[:, 1]), axis=1))
                for each in self.scene.things
            ],
            dtype=object,
        )

    @cached_property
    def _on_earth(self) -> list[shapely.Geometry]:
        return [shapely.transform(each.segmentize(20.0), self._degrees) for each in self.ground]

    def _degrees(self, points: Floats) -> Floats:
        return np.stack(self.scene.to_lonlat.transform(points[:, 0], points[:, 1]), axis=1)

    @cached_property
    def area(self) -> Floats:
        """Square metres."""
        return np.array(
            [abs(WGS84.geometry_area_perimeter(shapely.orient_polygons(each))[0]) for each in self._on_earth]
        )

    @cached_property
    def perimeter(self) -> Floats:
        """Metres."""
        return np.array([WGS84.geometry_length(each.boundary) for each in self._on_earth])

    @cached_property
    def _axes(self) -> Floats:
        """Length of the long side of the smallest rectangle in metres, and its azimuth in degrees from true north, 0 to 180."""
        found = []
        for outline in self.ground:
            corners = np.array(outline.minimum_rotated_rectangle.exterior.coords)
            sides = np.diff(corners, axis=0)
            long = int(np.argmax(np.hypot(*sides[:2].T)))
            ends = np.array([(corners[long] + corners[long - 1]) / 2, (corners[long + 1] + corners[long + 2]) / 2])
            if long == 0:
                ends = np.array([(corners[0] + corners[3]) / 2, (corners[1] + corners[2]) / 2])
            (a, b), (c, d) = self._degrees(ends)
            azimuth, _, length = WGS84.inv(a, b, c, d)
            found.append((length, azimuth % 180))
        return np.array(found).reshape(-1, 2)

    @property
    def length(self) -> Floats:
        """Metres."""
        return np.asarray(self._axes[:, 0])

    @property
    def azimuth(self) -> Floats:
        """Degrees clockwise from north, 0 to 180."""
        return np.asarray(self._axes[:, 1])

    @cached_property
    def centroid(self) -> Floats:
        """Longitude and latitude of each thing's centroid, (N, 2)."""
        return self._degrees(shapely.get_coordinates(shapely.centroid(self.ground)))

    @property
    def image_area(self) -> float:
        """Square metres of the whole image."""
        scene = self.scene
        frame = shapely.box(0, 0, scene.width, scene.height).segmentize(100)
        ground = shapely.transform(frame, lambda p: np.stack(scene.transform @ (p[:, 0], p[:, 1]), axis=1))
        return float(abs(WGS84.geometry_area_perimeter(shapely.transform(ground, self._degrees))[0]))

    def gaps(self, of: Sequence[int], to: Sequence[int]) -> Floats:
        """From each thing to the nearest of the others, edge to edge in metres; a thing is not its own neighbour."""
        if not len(to) or (len(to) == 1 and list(of) == list(to)):
            return np.full(len(of), np.inf)
        others = self.ground[list(to)]
        tree = shapely.STRtree(others)
        found = np.empty(len(of))
        among = set(to)
        for row, index in enumerate(of):
            if index in among:
                rest = [other for other in to if other != index]
                if not rest:
                    found[row] = np.inf
                    continue
                apart = shapely.distance(self.ground[index], self.ground[rest])
                nearest = self.ground[rest[int(np.argmin(apart))]]
            else:
                nearest = others[tree.nearest(self.ground[index])]
            found[row] = self._geodesic(self.ground[index], nearest)
        return found

    def _geodesic(self, one: shapely.Geometry, other: shapely.Geometry) -> float:
        (a, b), (c, d) = self._degrees(shapely.get_coordinates(shapely.shortest_line(one, other)))
        return float(WGS84.inv(a, b, c, d)[2])

    def chosen(self, selection: Selection) -> list[int]:
        """Positions of the things that a selection means, in their order."""
        if selection.any_of or selection.all_of:
            sets = [set(self.chosen(each)) for each in (*selection.any_of, *selection.all_of)]
            found = sorted(set.union(*sets) if selection.any_of else set.intersection(*sets))
        else:
            found = [i for i, thing in enumerate(self.scene.things) if thing.category == selection.things]
        if selection.minus:
            without = set(self.chosen(selection.minus))
            found = [i for i in found if i not in without]
        if selection.bbox:
            found = self._in_bbox(found, self.bbox(selection.bbox))
        for values, low, high in (
            (self.area, selection.area_from, selection.area_to),
            (self.length, selection.length_from, selection.length_to),
        ):
            if low is not None or high is not None:
                moved = 1 + self.shift_px * SHARE_OF_A_PIXEL
                found = [
                    i
                    for i in found
                    if (low is None or values[i] >= low * moved) and (high is None or values[i] <= high * moved)
                ]
        for near, wanted in ((selection.within, True), (selection.beyond, False)):
            if near:
                gaps = self.gaps(found, self.chosen(near.of))
                metres = near.metres + self.shift_px * self.scene.gsd_m
                found = [i for i, gap in zip(found, gaps, strict=True) if (gap <= metres) == wanted]
        for frame, wanted in ((selection.inside, True), (selection.outside, False)):
            if frame:
                found = self._inside(found, frame, wanted)
        if selection.nearest_to:
            found = self._nearest(found, self.chosen(selection.nearest_to))
        if selection.first:
            found = self._first(
                found,
                self._order(selection.first.by),
                selection.first.count,
                smallest=selection.first.smallest,
                pixels=selection.first.by == "north",
            )
        return found

    def bbox(self, shares: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees, rounded as a question says them."""
        left, top, right, bottom = shares
        width, height = self.scene.width, self.scene.height
        corners = [(left * width, bottom * height), (right * width, top * height)]
        ground = np.array([self.scene.transform @ corner for corner in corners])
        (west, south), (east, north) = np.round(self._degrees(ground), 5).tolist()
        return west, south, east, north

    def _in_bbox(self, found: list[int], bbox: tuple[float, float, float, float]) -> list[int]:
        west, south, east, north = bbox
        lon, lat = self.centroid[found].T
        metres = np.stack([lon - west, east - lon]) * 111_320 * np.cos(np.radians(lat))
        metres = np.concatenate([metres, np.stack([lat - south, north - lat]) * 111_320])
        inside = np.asarray((metres > self.shift_px * self.scene.gsd_m).all(0))
        return [i for i, within in zip(found, inside.tolist(), strict=True) if within]

    def _inside(self, found: list[int], frame: Selection, wanted: bool) -> list[int]:
        zones = shapely.union_all(self.ground[self.chosen(frame)])
        shares = shapely.area(shapely.intersection(self.ground[found], zones)) / shapely.area(self.ground[found])
        return [i for i, share in zip(found, shares, strict=True) if (share >= 0.5 + 0.4 * self.shift_px) == wanted]

    def _nearest(self, found: list[int], to: list[int]) -> list[int]:
        gaps = self.gaps(found, to)
        order = np.argsort(gaps)
        if len(order) > 1:
            self._near((gaps[order[1:2]] - gaps[order[0]]) / self.scene.gsd_m)
        return [found[order[0]]]

    def _order(self, by: str) -> Floats:
        """What things are sorted by: square metres, metres, or pixels north of the southernmost centroid."""
        if by == "north":
            return np.asarray((self.centroid[:, 1] - self.centroid[:, 1].min()) * 111_320 / self.scene.gsd_m)
        return self.area if by == "area" else self.length

    def _first(
        self, found: list[int], values: Floats, count: int, *, smallest: bool = False, pixels: bool = False
    ) -> list[int]:
        order = sorted(found, key=lambda i: float(values[i]), reverse=not smallest)
        if len(order) > count:
            last, next_ = values[order[count - 1]], values[order[count]]
            if pixels:
                self._near(np.array([next_ - last]))
            else:
                self._near(np.array([next_ / last - 1]), share=True)
        return sorted(order[:count])

    def _near(self, apart: Floats, *, share: bool = False) -> None:
        """Remembers how far the first is ahead of the second."""
        least = float(np.abs(apart).min()) if len(apart) else float("inf")
        if share:
            self.worked.margin_share = min(self.worked.margin_share, least)
        else:
            self.worked.margin_px = min(self.worked.margin_px, least)


def work_out(scene: Scene, truth: Truth, exact: Exact | None = None) -> Worked:
    """The right answer to a question about a scene. Numbers are in metres, square metres, degrees, or shares of one hundred."""
    exact = Exact(scene) if exact is None else exact
    exact.worked = Worked()
    of = exact.chosen(truth.of)
    if truth.measure in _OF:
        exact.worked.answer = _OF[truth.measure](exact, of)
    else:
        to = exact.chosen(truth.to) if truth.to else []
        exact.worked.answer = _BETWEEN[truth.measure](exact, of, to, truth)
    return exact.worked


def _largest(exact: Exact, of: list[int]) -> int:
    return exact._first(of, exact.area, 1)[0]


def _positions(exact: Exact, of: Sequence[int]) -> list[list[float]]:
    return [[float(v) for v in exact.centroid[i]] for i in of]


def _pairs(exact: Exact, of: list[int], to: list[int], metres: float) -> list[tuple[float, int, int]]:
    """Distance and positions of all pairs up to about so many metres apart; each pair once, nothing with itself."""
    others = to or of
    rows, columns = shapely.STRtree(exact.ground[others]).query(
        exact.ground[of], predicate="dwithin", distance=metres * 1.01
    )
    pairs = {(of[row], others[column]) for row, column in zip(rows, columns, strict=True)}
    once = {(i, j) for i, j in pairs if i != j and ((j, i) not in pairs or i < j)}
    return sorted((exact._geodesic(exact.ground[i], exact.ground[j]), i, j) for i, j in once)


def _nearest_pair(exact: Exact, of: list[int], to: list[int], _: Truth) -> list[list[float]]:
    """Centroids of the two things that are nearest to each other."""
    reach = float(exact.gaps(of, to or of).min()) + 10 * exact.scene.gsd_m
    pairs = _pairs(exact, of, to, reach)
    if len(pairs) > 1:
        exact._near(np.array([(pairs[1][0] - pairs[0][0]) / exact.scene.gsd_m]))
    return _positions(exact, pairs[0][1:])


def _distance_of_nth(exact: Exact, of: list[int], to: list[int], truth: Truth) -> float:
    """The largest distance beyond which at least n things lie: the n-th largest distance to the others."""
    return float(np.sort(exact.gaps(of, to or of))[::-1][truth.n - 1])


def _pairs_within(exact: Exact, of: list[int], to: list[int], truth: Truth) -> int:
    """Pairs of things, or of a thing and another kind of thing, at most so many metres apart."""
    metres = truth.metres + exact.shift_px * exact.scene.gsd_m
    return sum(gap <= metres for gap, _, _ in _pairs(exact, of, to, metres))


def _larger_total(exact: Exact, of: list[int], to: list[int], truth: Truth) -> str:
    """Which total area is larger, by name; "undecided" where half a pixel along every boundary could turn it round."""
    assert truth.names is not None
    first, second = float(exact.area[of].sum()), float(exact.area[to].sum())
    unsure = float(exact.perimeter[of].sum() + exact.perimeter[to].sum()) * exact.scene.gsd_m / 2
    exact.worked.uncertain = unsure
    exact.worked.margin_share = min(exact.worked.margin_share, abs(abs(first - second) / unsure - 1))
    if abs(first - second) <= unsure:
        return "undecided"
    return truth.names[0] if first > second else truth.names[1]


def _larger_value(exact: Exact, of: list[int], to: list[int], truth: Truth) -> str:
    """Of which things a measure is larger, by name."""
    assert truth.names is not None
    values: dict[str, Callable[[list[int]], float]] = {
        "total_area": lambda i: float(exact.area[i].sum()),
        "largest_area": lambda i: float(exact.area[i].max()),
        "longest": lambda i: float(exact.length[i].max()),
        "count": lambda i: float(len(i)),
    }
    first, second = values[truth.value](of), values[truth.value](to)
    exact._near(np.array([first / second - 1]), share=True)
    return truth.names[0] if first > second else truth.names[1]


_OF: dict[str, Callable[[Exact, list[int]], Any]] = {
    "count": lambda _, of: len(of),
    "total_area": lambda exact, of: float(exact.area[of].sum()),
    "mean_area": lambda exact, of: float(exact.area[of].mean()),
    "median_area": lambda exact, of: float(np.median(exact.area[of])),
    "largest_area": lambda exact, of: float(exact.area[of].max()),
    "share_of_image": lambda exact, of: 100 * float(exact.area[of].sum()) / exact.image_area,
    "per_hectare": lambda exact, of: len(of) / (exact.image_area / 10_000),
    "total_perimeter": lambda exact, of: float(exact.perimeter[of].sum()),
    "median_length": lambda exact, of: float(np.median(exact.length[of])),
    "longest": lambda exact, of: float(exact.length[of].max()),
    "orientation": lambda exact, of: float(exact.azimuth[_largest(exact, of)]),
    "position": lambda exact, of: _positions(exact, of)[0],
    "positions": _positions,
}
_BETWEEN: dict[str, Callable[[Exact, list[int], list[int], Truth], Any]] = {
    "nearest_distance": lambda exact, of, to, _: float(exact.gaps(of, to or of).min()),
    "nearest_pair": _nearest_pair,
    "distance_of_nth": _distance_of_nth,
    "pairs_within": _pairs_within,
    "area_difference": lambda exact, of, to, _: float(exact.area[of].sum() - exact.area[to].sum()),
    "larger_total": _larger_total,
    "larger_value": _larger_value,
}
