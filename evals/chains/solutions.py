"""How the questions are solved with the tools of this tree: a few lines and a few calls each, with no truth used.

Each solution is a function of the three tools that gives the answer. It may do sums of its own, as an agent with a calculator does.
"""

from collections.abc import Callable
from typing import Any

from evals.chains.tools import Tools

Facts = dict[str, Any]
Solution = Callable[[Tools], Any]
SOLUTIONS: dict[str, Solution] = {}
LONGEST_SHIP_M = 200.0  # a box is looked at with so much around it, so that no ship in it is cut


def solves(question: str) -> Callable[[Solution], Solution]:
    """A decorator that registers a solution under the id of its question."""

    def register(solution: Solution) -> Solution:
        SOLUTIONS[question] = solution
        return solution

    return register


def find(t: Tools, query: str, **more: Any) -> Facts:
    """Everything that a query finds, with one row in the answer unless more are asked for."""
    return t.find(query, **{"max_regions": 1, "columns": [], **more})


def refine(t: Tools, found: Facts, **more: Any) -> Facts:
    """A new result, with one row in the answer unless more are asked for."""
    return t.refine(found, **{"max_regions": 1, "columns": [], **more})


def measured(t: Tools, found: Facts, **more: Any) -> Facts:
    """What `describe_region` measures of a result."""
    facts: Facts = t.describe(found, **more)["measured"]
    return facts


def listed(t: Tools, found: Facts, **more: Any) -> list[Facts]:
    """The first rows of a result in an order."""
    rows: list[Facts] = t.describe(found, **more)["regions"]
    return rows


def largest(t: Tools, found: Facts, count: int, **more: Any) -> list[Facts]:
    return listed(t, found, sort_by="area", descending=True, first=count, **more)


def nearest(t: Tools, found: Facts, other: Facts) -> Facts:
    """The distances from the regions of one result to the nearest of another: min, median, max, with ids and places."""
    facts: Facts = measured(t, found, combine_with=other["result_id"], first=1)["nearest_m"]
    return facts


def near(t: Tools, found: Facts, other: Facts, metres: float, **more: Any) -> Facts:
    return refine(t, found, combine_with=other["result_id"], within_m=metres, **more)


def larger_or_undecided(first: Facts, second: Facts, names: tuple[str, str]) -> str:
    """The name of the larger total; "undecided" where the difference is within the two plus/minus values."""
    difference = first["total_area_m2"] - second["total_area_m2"]
    if abs(difference) <= first["total_pm"] + second["total_pm"]:
        return "undecided"
    return names[0] if difference > 0 else names[1]


def far(t: Tools, found: Facts, other: Facts, metres: float, **more: Any) -> Facts:
    """What lies farther away; with 0, what does not touch."""
    return refine(t, found, combine_with=other["result_id"], beyond_m=metres, **more)


@solves("quay-count-tanks")
@solves("fields-words")
def _(t: Tools) -> Any:
    return find(t, "storage tanks")["total"]


@solves("crowd-count")
def _(t: Tools) -> Any:
    return find(t, "ships")["total"]


@solves("quay-total-tanks")
def _(t: Tools) -> Any:
    return find(t, "storage tanks")["total_area_m2"]


@solves("quay-tank-to-building")
def _(t: Tools) -> Any:
    return nearest(t, find(t, "storage tanks"), find(t, "buildings"))["min"]


@solves("quay-longest-ship")
@solves("roadstead-longest")
def _(t: Tools) -> Any:
    return measured(t, find(t, "ships"), columns=["length"], first=1)["largest_length_m"]


@solves("quay-largest-tank-near")
def _(t: Tools) -> Any:
    building = refine(t, find(t, "buildings"), sort_by="area", descending=True, first=1)
    return near(t, find(t, "storage tanks"), building, 100)["total"]


@solves("quay-planes")
def _(t: Tools) -> Any:
    found = find(t, "planes")
    return found["total_area_m2"] if found["total"] else "none"


@solves("airbase-helicopters")
def _(t: Tools) -> Any:
    return find(t, "helicopters")["total"] or "none"


@solves("quay-larger-total")
def _(t: Tools) -> Any:
    return larger_or_undecided(find(t, "storage tanks"), find(t, "buildings"), ("storage tanks", "buildings"))


@solves("tanks-median")
def _(t: Tools) -> Any:
    return measured(t, find(t, "storage tanks", min_area_m2=150))["median_area_m2"]


@solves("tanks-share")
def _(t: Tools) -> Any:
    return 100 * measured(t, find(t, "storage tanks"))["share_of_image"]


@solves("town-share")
def _(t: Tools) -> Any:
    return 100 * measured(t, find(t, "ponds"))["share_of_image"]


@solves("tanks-ten-largest")
def _(t: Tools) -> Any:
    return refine(t, find(t, "storage tanks"), sort_by="area", descending=True, first=10)["total_area_m2"]


@solves("apron-largest-plane")
def _(t: Tools) -> Any:
    return largest(t, find(t, "planes"), 1)[0]["lonlat"]


@solves("apron-beyond")
def _(t: Tools) -> Any:
    return far(t, find(t, "planes"), find(t, "helicopters"), 30)["total"]


@solves("apron-difference")
def _(t: Tools) -> Any:
    return find(t, "planes")["total_area_m2"] - find(t, "buildings")["total_area_m2"]


@solves("airbase-difference")
def _(t: Tools) -> Any:
    return find(t, "buildings")["total_area_m2"] - find(t, "planes")["total_area_m2"]


@solves("courts-density")
def _(t: Tools) -> Any:
    return measured(t, find(t, "tennis courts and swimming pools"))["regions_per_hectare"]


@solves("airbase-density")
def _(t: Tools) -> Any:
    return measured(t, find(t, "planes"))["regions_per_hectare"]


@solves("houses-pair")
def _(t: Tools) -> Any:
    buildings = find(t, "buildings")
    return nearest(t, buildings, buildings)["min_at"]


@solves("roadstead-nearest-pair")
def _(t: Tools) -> Any:
    return nearest(t, find(t, "storage tanks"), find(t, "buildings"))["min_at"]


@solves("crowd-nearest-pair")
def _(t: Tools) -> Any:
    return nearest(t, find(t, "ships"), find(t, "buildings"))["min_at"]


@solves("houses-perimeter")
def _(t: Tools) -> Any:
    return measured(t, find(t, "buildings"), columns=["perimeter"], first=1)["total_perimeter_m"]


@solves("town-perimeter")
def _(t: Tools) -> Any:
    return measured(t, find(t, "ponds"), columns=["perimeter"], first=1)["total_perimeter_m"]


@solves("roadstead-median-length")
@solves("crowd-median-length")
def _(t: Tools) -> Any:
    return measured(t, find(t, "ships"), columns=["length"], first=1)["median_length_m"]


@solves("coast-large-ships")
def _(t: Tools) -> Any:
    return measured(t, find(t, "ships", min_area_m2=2000), columns=["length"], first=1)["median_length_m"]


@solves("roadstead-bisected")
def _(t: Tools) -> Any:
    return distance_of(t, find(t, "storage tanks"), find(t, "buildings"), 25)


@solves("coast-farthest-tank")
def _(t: Tools) -> Any:
    return distance_of(t, find(t, "storage tanks"), find(t, "buildings"), 40)


def distance_of(t: Tools, found: Facts, other: Facts, count: int) -> float:
    """The distance from which on so many regions lie away from the others."""
    rows = listed(t, found, combine_with=other["result_id"], sort_by="nearest", descending=True, first=count)
    return float(rows[-1]["nearest_m"])


@solves("roadstead-orientation")
def _(t: Tools) -> Any:
    return largest(t, find(t, "ships"), 1, columns=["orientation"])[0]["orientation_deg"]


@solves("roadstead-box")
def _(t: Tools) -> Any:
    west, south, east, north = t.numbers[-4:]
    margin = LONGEST_SHIP_M / 60_000  # degrees, at least so much up to 57 degrees north
    around = [west - margin, south - margin, east + margin, north + margin]
    rows = find(t, "ships", bbox=around, max_regions=500)["regions"]
    return sum(west < row["lon"] < east and south < row["lat"] < north for row in rows)


@solves("depot-outside")
def _(t: Tools) -> Any:
    return far(t, find(t, "storage tanks"), find(t, "yards"), 0)["total"]


@solves("depot-inside-area")
def _(t: Tools) -> Any:
    return near(t, find(t, "storage tanks"), find(t, "yards"), 0)["total_area_m2"]


@solves("depot-combined")
def _(t: Tools) -> Any:
    outside = far(t, find(t, "storage tanks"), find(t, "yards"), 0)
    return near(t, outside, find(t, "buildings"), 52)["total"]


@solves("depot-larger")
def _(t: Tools) -> Any:
    outside = far(t, find(t, "storage tanks"), find(t, "yards"), 0)
    return larger_or_undecided(outside, find(t, "buildings"), ("storage tanks", "buildings"))


@solves("town-pairs")
def _(t: Tools) -> Any:
    return measured(t, find(t, "buildings"), pairs_within_m=28.5)["pairs_within"]


@solves("town-beyond")
def _(t: Tools) -> Any:
    return far(t, find(t, "buildings"), find(t, "ponds"), 134)["total"]


@solves("town-near-smallest")
def _(t: Tools) -> Any:
    smallest = refine(t, find(t, "ponds"), sort_by="area", first=1)
    return nearest(t, smallest, find(t, "buildings"))["min_at"][1]


@solves("airbase-nearest")
def _(t: Tools) -> Any:
    return nearest(t, find(t, "planes", min_area_m2=700), find(t, "buildings"))["min"]


@solves("airbase-either")
def _(t: Tools) -> Any:
    planes, buildings = find(t, "planes"), find(t, "buildings")
    return sum(each["total_area_m2"] for each in (near(t, planes, buildings, 34), near(t, buildings, planes, 59.5)))


@solves("coast-four-conditions")
def _(t: Tools) -> Any:
    close = near(t, find(t, "buildings"), find(t, "ponds"), 161)
    return far(t, close, find(t, "planes"), 52.5)["total"]


@solves("coast-four-largest")
def _(t: Tools) -> Any:
    return [row["lonlat"] for row in largest(t, find(t, "ships"), 4)]


@solves("coast-minus")
def _(t: Tools) -> Any:
    tanks = find(t, "storage tanks")
    ten = [row["id"] for row in largest(t, tanks, 10)]
    return near(t, tanks, find(t, "buildings"), 100, drop=ten)["total_area_m2"]


@solves("fields-more")
def _(t: Tools) -> Any:
    close = near(t, find(t, "storage tanks"), find(t, "ponds"), 33.5)
    return "within" if close["total"] > close.get("left_out", {}).get("within_m", 0) else "farther"


@solves("fields-median-pond")
def _(t: Tools) -> Any:
    return measured(t, find(t, "ponds"))["median_area_m2"]


def at_point(t: Tools, found: Facts) -> Facts:
    """The one region with its centre nearest to the point that the question names first."""
    lon, lat = t.numbers[:2]
    rows = listed(t, found, detail="regions")
    near_first = min(rows, key=lambda row: (row["lon"] - lon) ** 2 + (row["lat"] - lat) ** 2)
    return refine(t, found, keep=[near_first["id"]])


def first_by_area(t: Tools, found: Facts, count: int = 1) -> Facts:
    return refine(t, found, sort_by="area", descending=True, first=count)


@solves("quay-two-northernmost")
def _(t: Tools) -> Any:
    return refine(t, find(t, "ships"), instruction="keep the two northernmost")["total_area_m2"]


@solves("marina-at-piers")
def _(t: Tools) -> Any:
    return near(t, find(t, "ships"), find(t, "harbors"), 4)["total"]


@solves("marina-ship-at-point")
def _(t: Tools) -> Any:
    return measured(t, at_point(t, find(t, "ships")), columns=["length"], first=1)["largest_length_m"]


@solves("marina-neighbour")
def _(t: Tools) -> Any:
    return nearest(t, at_point(t, find(t, "ships")), find(t, "buildings"))["min"]


@solves("marina-larger")
def _(t: Tools) -> Any:
    ship, building = (largest(t, find(t, query), 1)[0] for query in ("ships", "buildings"))
    return "ship" if ship["area_m2"] > building["area_m2"] else "building"


@solves("marina-planes")
@solves("kampala-planes")
def _(t: Tools) -> Any:
    return find(t, "planes")["total"] or "none"


@solves("pitches-tennis")
def _(t: Tools) -> Any:
    return refine(t, find(t, "courts"), instruction="only the tennis courts")["total"]


@solves("pitches-basketball-area")
def _(t: Tools) -> Any:
    return refine(t, find(t, "courts"), instruction="only the basketball courts")["total_area_m2"]


@solves("pitches-pool-court")
def _(t: Tools) -> Any:
    return nearest(t, find(t, "tennis courts"), find(t, "swimming pools"))["min"]


@solves("parking-large")
def _(t: Tools) -> Any:
    return refine(t, find(t, "vehicles"), instruction="only the large vehicles")["total"]


@solves("parking-longest-vehicle")
def _(t: Tools) -> Any:
    return measured(t, find(t, "vehicles"), columns=["length"], first=1)["largest_length_m"]


@solves("parking-both")
def _(t: Tools) -> Any:
    small = first_by_area(t, find(t, "small vehicles"), 3)
    return refine(t, find(t, "large vehicles"), combine_with=small["result_id"], operation="union")["total_area_m2"]


@solves("notice-count")
def _(t: Tools) -> Any:
    return find(t, "storage tanks")["total"]


@solves("notice-area")
def _(t: Tools) -> Any:
    return near(t, find(t, "buildings"), find(t, "storage tanks"), 60)["total_area_m2"]


@solves("notice-nearest")
def _(t: Tools) -> Any:
    return nearest(t, first_by_area(t, find(t, "buildings")), find(t, "storage tanks"))["min"]


@solves("depot-without-largest")
def _(t: Tools) -> Any:
    inside = near(t, find(t, "storage tanks"), find(t, "yards"), 0)
    return refine(t, inside, drop=[row["id"] for row in largest(t, inside, 5)])["total_area_m2"]


@solves("kampala-count")
@solves("alexandria-count")
def _(t: Tools) -> Any:
    return find(t, "buildings")["total"]


@solves("kampala-total")
@solves("alexandria-total")
def _(t: Tools) -> Any:
    return find(t, "buildings")["total_area_m2"]


@solves("kampala-median")
def _(t: Tools) -> Any:
    return measured(t, find(t, "buildings"))["median_area_m2"]


@solves("kampala-largest")
def _(t: Tools) -> Any:
    return largest(t, find(t, "buildings"), 1)[0]["lonlat"]


@solves("kampala-near-largest")
def _(t: Tools) -> Any:
    buildings = find(t, "buildings")
    return near(t, buildings, first_by_area(t, buildings), 9)["total"] - 1  # itself


@solves("kampala-large-alone")
def _(t: Tools) -> Any:
    buildings = find(t, "buildings", min_area_m2=100)
    return far(t, buildings, first_by_area(t, buildings), 30)["total"]


@solves("kampala-at-point")
def _(t: Tools) -> Any:
    return at_point(t, find(t, "buildings"))["total_area_m2"]


@solves("alexandria-share")
def _(t: Tools) -> Any:
    return 100 * measured(t, find(t, "buildings"))["share_of_image"]


@solves("alexandria-largest")
def _(t: Tools) -> Any:
    return largest(t, find(t, "buildings"), 1)[0]["area_m2"]


@solves("alexandria-longest")
def _(t: Tools) -> Any:
    return measured(t, find(t, "buildings"), columns=["length"], first=1)["largest_length_m"]


@solves("alexandria-beyond")
def _(t: Tools) -> Any:
    buildings = find(t, "buildings")
    return far(t, buildings, first_by_area(t, buildings), t.numbers[0])["total"]


@solves("alexandria-difference")
def _(t: Tools) -> Any:
    first, second = largest(t, find(t, "buildings"), 2)
    return first["area_m2"] - second["area_m2"]


@solves("alexandria-rest")
def _(t: Tools) -> Any:
    buildings = find(t, "buildings")
    one = first_by_area(t, buildings)
    return near(t, buildings, one, 40)["total_area_m2"] - one["total_area_m2"]
