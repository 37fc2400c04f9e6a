"""What an agent has to do with the tools as they were at commit 8a55278: distances are searched for, measures are asked for one by one.

Each solution is a function of the three tools that gives the answer. It may do sums of its own, as an agent with a calculator does.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import shapely

from evals.agent_trial.client import Tools

Facts = dict[str, Any]
Solution = Callable[[Tools], Any]
SOLUTIONS: dict[str, Solution] = {}
FARTHEST_M = 3_000.0  # where a search for a distance begins
FINE = 0.004  # share of a distance at which a search ends


def register_in(solutions: dict[str, Solution]) -> Callable[[str], Callable[[Solution], Solution]]:
    """A decorator that registers a solution under the id of its question."""

    def solves(question: str) -> Callable[[Solution], Solution]:
        def register(solution: Solution) -> Solution:
            solutions[question] = solution
            return solution

        return register

    return solves


solves = register_in(SOLUTIONS)


def listed(t: Tools, found: Facts) -> list[Facts]:
    """All regions of a result, page by page."""
    rows = list(found["regions"])
    while len(rows) < found["total"]:
        rows += t.describe(found, detail="regions", first_region=rows[-1]["id"] + 1 if rows else 1)["regions"]
    return rows


def each_measured(t: Tools, found: Facts, name: str) -> list[float]:
    """One measure of every region, a call for each."""
    return [float(t.describe(found, region_id=i + 1)["measured"][name]) for i in range(found["total"])]


def largest(rows: Sequence[Facts], count: int = 1) -> list[Facts]:
    return sorted(rows, key=lambda row: -float(row["area_m2"]))[:count]


def within(t: Tools, found: Facts, other: Facts, metres: float, **more: Any) -> Facts:
    return t.refine(found, combine_with=other["result_id"], within_m=metres, **{"max_regions": 1, **more})


def searched(t: Tools, found: Facts, other: Facts, count: int) -> tuple[float, Facts]:
    """The smallest distance within which at least so many regions lie, by halving, and the result at that distance."""
    low, high = 0.0, FARTHEST_M
    best = within(t, found, other, high)
    while high - low > max(FINE * high, 0.02):
        middle = math.sqrt(low * high) if low > 1 else high / 4 if high > 4 else (low + high) / 2
        tried = within(t, found, other, middle)
        if tried["total"] >= count:
            high, best = middle, tried
        else:
            low = middle
    return (low + high) / 2, best


def image_area_m2(t: Tools) -> float:
    measured = t.describe(image=t.image)["measured"]
    return float(measured["width_px"] * measured["height_px"] * measured["gsd_m"] ** 2)


def longest_of(t: Tools, found: Facts, rows: Sequence[Facts]) -> float:
    """The largest length: regions are measured in the order of their boxes' diagonals, until no box can hold a longer one."""
    boxes = sorted(((_diagonal_m(row["bbox"]), row["id"]) for row in rows), reverse=True)
    best = 0.0
    for diagonal, id_ in boxes:
        if diagonal < best:
            break
        best = max(best, float(t.describe(found, region_id=id_)["measured"]["length_m"]))
    return best


def close_pairs(t: Tools, found: Facts, rows: Sequence[Facts], metres: float) -> list[tuple[float, int, int]]:
    """Pairs of regions of one result that are at most so far apart, from their outlines; candidates by their boxes."""
    boxes = shapely.box(*np.array([_metres(row["bbox"], rows[0]["bbox"]) for row in rows]).T)
    i, j = shapely.STRtree(boxes).query(boxes, predicate="dwithin", distance=metres + 1)
    pairs = [(a, b) for a, b in zip(i, j, strict=True) if a < b]
    outlines = {
        k: shapely.Polygon(_metres(t.describe(found, region_id=rows[k]["id"], detail="outline")["outline"][0], rows[0]["bbox"]))
        for k in sorted({k for pair in pairs for k in pair})
    }  # fmt: skip
    gaps = [(float(outlines[a].distance(outlines[b])), a, b) for a, b in pairs]
    return sorted(gap for gap in gaps if gap[0] <= metres)


def _diagonal_m(bbox: Sequence[float]) -> float:
    west, south, east, north = _metres(bbox, bbox)
    return math.hypot(east - west, north - south)


def _metres(lonlat: Any, near: Sequence[float]) -> Any:
    """Degrees to metres east and north of a place, flat: good to a centimetre over a few hundred metres around it."""
    lat = math.radians(near[1])
    east = 111_412.84 * math.cos(lat) - 93.5 * math.cos(3 * lat) + 0.118 * math.cos(5 * lat)
    north = 111_132.92 - 559.82 * math.cos(2 * lat) + 1.175 * math.cos(4 * lat)
    pairs = np.asarray(lonlat, float).reshape(-1, 2)
    return ((pairs - near[:2]) * (east, north)).reshape(np.shape(lonlat))


def larger_or_undecided(first: Facts, second: Facts, names: tuple[str, str]) -> str:
    apart = first["total_area_m2"] - second["total_area_m2"]
    if abs(apart) <= first["total_pm"] + second["total_pm"]:
        return "undecided"
    return names[0] if apart > 0 else names[1]


@solves("quay-count-tanks")
@solves("fields-words")
def _(t: Tools) -> Any:
    return t.find("storage tanks", max_regions=1)["total"]


@solves("quay-total-tanks")
def _(t: Tools) -> Any:
    return t.find("storage tanks", max_regions=1)["total_area_m2"]


@solves("quay-tank-to-building")
def _(t: Tools) -> Any:
    tanks, buildings = t.find("storage tanks", max_regions=1), t.find("buildings", max_regions=1)
    return searched(t, tanks, buildings, 1)[0]


@solves("quay-longest-ship")
@solves("roadstead-longest")
def _(t: Tools) -> Any:
    ships = t.find("ships", max_regions=500)
    return longest_of(t, ships, listed(t, ships))


@solves("quay-largest-tank-near")
def _(t: Tools) -> Any:
    buildings, tanks = t.find("buildings"), t.find("storage tanks", max_regions=1)
    one = t.refine(buildings, keep=[largest(buildings["regions"])[0]["id"]])
    return within(t, tanks, one, 100)["total"]


@solves("quay-planes")
def _(t: Tools) -> Any:
    found = t.find("planes", max_regions=1)
    return found["total_area_m2"] if found["total"] else "none"


@solves("quay-larger-total")
def _(t: Tools) -> Any:
    tanks, buildings = t.find("storage tanks", max_regions=1), t.find("buildings", max_regions=1)
    return larger_or_undecided(tanks, buildings, ("storage tanks", "buildings"))


@solves("tanks-median")
def _(t: Tools) -> Any:
    return t.describe(t.find("storage tanks", min_area_m2=150, max_regions=1))["measured"]["median_area_m2"]


@solves("tanks-share")
def _(t: Tools) -> Any:
    return 100 * t.find("storage tanks", max_regions=1)["total_area_m2"] / image_area_m2(t)


@solves("tanks-ten-largest")
def _(t: Tools) -> Any:
    tanks = t.find("storage tanks", max_regions=500)
    return sum(row["area_m2"] for row in largest(listed(t, tanks), 10))


@solves("apron-largest-plane")
def _(t: Tools) -> Any:
    return largest(t.find("planes")["regions"])[0]["lonlat"]


@solves("apron-beyond")
def _(t: Tools) -> Any:
    planes, helicopters = t.find("planes", max_regions=1), t.find("helicopters", max_regions=1)
    return planes["total"] - within(t, planes, helicopters, 30)["total"]


@solves("apron-difference")
def _(t: Tools) -> Any:
    return t.find("planes", max_regions=1)["total_area_m2"] - t.find("buildings", max_regions=1)["total_area_m2"]


@solves("courts-density")
def _(t: Tools) -> Any:
    courts, pools = t.find("tennis courts", max_regions=1), t.find("swimming pools", max_regions=1)
    return (courts["total"] + pools["total"]) / (image_area_m2(t) / 10_000)


@solves("houses-pair")
def _(t: Tools) -> Any:
    buildings = t.find("buildings", max_regions=500)
    rows = listed(t, buildings)
    nearest = t.describe(buildings)["measured"]["nearest_neighbour_m"]["min"]
    _, a, b = close_pairs(t, buildings, rows, nearest + 0.5)[0]
    return [rows[a]["lonlat"], rows[b]["lonlat"]]


@solves("houses-perimeter")
def _(t: Tools) -> Any:
    return sum(each_measured(t, t.find("buildings", max_regions=1), "perimeter_m"))


@solves("roadstead-median-length")
@solves("crowd-median-length")
def _(t: Tools) -> Any:
    return float(np.median(each_measured(t, t.find("ships", max_regions=1), "length_m")))


@solves("roadstead-nearest-pair")
def _(t: Tools) -> Any:
    return nearest_pair(t, "storage tanks", "buildings")


@solves("crowd-nearest-pair")
def _(t: Tools) -> Any:
    return nearest_pair(t, "ships", "buildings")


def nearest_pair(t: Tools, one: str, other: str) -> Any:
    """A search for the distance within which one region is left, then that one's partner."""
    first, second = t.find(one, max_regions=1), t.find(other, max_regions=1)
    metres, near = searched(t, first, second, 1)
    partner = within(t, second, near, metres * (1 + FINE))
    return [near["regions"][0]["lonlat"], partner["regions"][0]["lonlat"]]


@solves("roadstead-bisected")
def _(t: Tools) -> Any:
    tanks, buildings = t.find("storage tanks", max_regions=1), t.find("buildings", max_regions=1)
    return searched(t, tanks, buildings, tanks["total"] - 25 + 1)[0]


@solves("roadstead-orientation")
def _(t: Tools) -> Any:
    ships = t.find("ships", max_regions=500)
    id_ = largest(listed(t, ships))[0]["id"]
    return t.describe(ships, region_id=id_)["measured"]["orientation_deg_from_north"]


@solves("roadstead-box")
def _(t: Tools) -> Any:
    west, south, east, north = t.numbers[-4:]
    ships = t.find("ships", max_regions=500)
    places = [row["lonlat"] for row in listed(t, ships)]
    return sum(west < lon < east and south < lat < north for lon, lat in places)


@solves("depot-outside")
def _(t: Tools) -> Any:
    return outside_yards(t)["total"]


def outside_yards(t: Tools) -> Facts:
    tanks, yards = t.find("storage tanks", max_regions=1), t.find("yards", max_regions=1)
    return t.refine(tanks, combine_with=yards["result_id"], operation="difference", max_regions=1)


@solves("depot-inside-area")
def _(t: Tools) -> Any:
    tanks, yards = t.find("storage tanks", max_regions=1), t.find("yards", max_regions=1)
    return t.refine(tanks, combine_with=yards["result_id"], operation="intersection", max_regions=1)["total_area_m2"]


@solves("depot-combined")
def _(t: Tools) -> Any:
    return within(t, outside_yards(t), t.find("buildings", max_regions=1), 52)["total"]


@solves("depot-larger")
def _(t: Tools) -> Any:
    return larger_or_undecided(outside_yards(t), t.find("buildings", max_regions=1), ("storage tanks", "buildings"))


@solves("town-pairs")
def _(t: Tools) -> Any:
    buildings = t.find("buildings", max_regions=500)
    return len(close_pairs(t, buildings, listed(t, buildings), 28.5))


@solves("town-share")
def _(t: Tools) -> Any:
    return 100 * t.find("ponds", max_regions=1)["total_area_m2"] / image_area_m2(t)


@solves("town-beyond")
def _(t: Tools) -> Any:
    buildings, ponds = t.find("buildings", max_regions=1), t.find("ponds", max_regions=1)
    return buildings["total"] - within(t, buildings, ponds, 134)["total"]


@solves("town-perimeter")
def _(t: Tools) -> Any:
    return sum(each_measured(t, t.find("ponds", max_regions=1), "perimeter_m"))


@solves("town-near-smallest")
def _(t: Tools) -> Any:
    ponds, buildings = t.find("ponds", max_regions=500), t.find("buildings", max_regions=1)
    smallest = min(listed(t, ponds), key=lambda row: float(row["area_m2"]))
    one = t.refine(ponds, keep=[smallest["id"]])
    return searched(t, buildings, one, 1)[1]["regions"][0]["lonlat"]


@solves("airbase-density")
def _(t: Tools) -> Any:
    return t.find("planes", max_regions=1)["total"] / (image_area_m2(t) / 10_000)


@solves("airbase-nearest")
def _(t: Tools) -> Any:
    planes, buildings = t.find("planes", min_area_m2=700, max_regions=1), t.find("buildings", max_regions=1)
    return searched(t, planes, buildings, 1)[0]


@solves("airbase-helicopters")
def _(t: Tools) -> Any:
    found = t.find("helicopters", max_regions=1)
    return found["total"] or "none"


@solves("airbase-difference")
def _(t: Tools) -> Any:
    return t.find("buildings", max_regions=1)["total_area_m2"] - t.find("planes", max_regions=1)["total_area_m2"]


@solves("airbase-either")
def _(t: Tools) -> Any:
    planes, buildings = t.find("planes", max_regions=1), t.find("buildings", max_regions=1)
    near = within(t, planes, buildings, 34), within(t, buildings, planes, 59.5)
    return sum(each["total_area_m2"] for each in near)


@solves("coast-four-conditions")
def _(t: Tools) -> Any:
    buildings = t.find("buildings", max_regions=1)
    near = within(t, buildings, t.find("ponds", max_regions=1), 161)
    return near["total"] - within(t, near, t.find("planes", max_regions=1), 52.5)["total"]


@solves("coast-large-ships")
def _(t: Tools) -> Any:
    return float(np.median(each_measured(t, t.find("ships", min_area_m2=2000, max_regions=1), "length_m")))


@solves("coast-four-largest")
def _(t: Tools) -> Any:
    ships = t.find("ships", max_regions=500)
    return [row["lonlat"] for row in largest(listed(t, ships), 4)]


@solves("coast-farthest-tank")
def _(t: Tools) -> Any:
    tanks, buildings = t.find("storage tanks", max_regions=1), t.find("buildings", max_regions=1)
    return searched(t, tanks, buildings, tanks["total"] - 40 + 1)[0]


@solves("coast-minus")
def _(t: Tools) -> Any:
    tanks, buildings = t.find("storage tanks", max_regions=500), t.find("buildings", max_regions=1)
    ten = [row["id"] for row in largest(listed(t, tanks), 10)]
    return within(t, tanks, buildings, 100, drop=ten)["total_area_m2"]


@solves("fields-more")
def _(t: Tools) -> Any:
    tanks = t.find("storage tanks", max_regions=1)
    near = within(t, tanks, t.find("ponds", max_regions=1), 33.5)["total"]
    return "within" if near > tanks["total"] - near else "farther"


@solves("fields-median-pond")
def _(t: Tools) -> Any:
    return t.describe(t.find("ponds", max_regions=1))["measured"]["median_area_m2"]


@solves("crowd-count")
def _(t: Tools) -> Any:
    return t.find("ships", max_regions=1)["total"]
