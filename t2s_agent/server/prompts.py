"""Defines MCP prompts, workflows that a user can choose: count and measure, two layers and a distance, inspect and refine."""

from collections.abc import Mapping
from typing import Any

from mcp.server import MCPServer

from t2s_agent.bounds import LONGEST_QUERY, require_at_most
from t2s_agent.errors import T2SError
from t2s_agent.server.service import Service
from t2s_agent.text import one_line


def add_prompts(server: MCPServer[Any], service: Service) -> None:
    """Adds three prompts that use the three tools."""
    del service

    @server.prompt(title="Count and measure")
    def count_and_measure(image: str, what: str) -> str:
        """How many of something there are in an image, and how large they are."""
        return f"""\
Count and measure: {what!r} in the image {image!r}.
1. Call reason_segment(image={image!r}, query={what!r}).
2. Look at the picture. Regions that are something else: refine_mask(result_id, drop=[their ids]).
3. If the answer has `next`, the list goes on there; `total` and `total_area_m2` already count all.
4. Call describe_region(result_id) for the smallest, median and largest area.
Report the count, the total area with its plus/minus, and the result_id. If status is 'empty', say that nothing was found; if it is \
'partly', that small objects could not be seen at this scale; if it is 'not_understood', that the model does not know what was asked \
for. Do not guess."""

    @server.prompt(title="What is near what")
    def near(image: str, what: str, other: str, distance_m: str) -> str:
        """Which things of one kind lie within some metres of things of another kind."""
        return f"""\
Which {what!r} lie within {distance_m} m of {other!r} in the image {image!r}?
1. first = reason_segment(image={image!r}, query={what!r})
2. second = reason_segment(image={image!r}, query={other!r})
3. both found: refine_mask(result_id=first's, combine_with=second's, within_m={distance_m})
4. describe_region(result_id=the new one) for its measures.
Report how many of how many, their distances (nearest_m), places and areas with plus/minus, and all three result_ids. \
Distances are edge to edge on the ground. Regions are numbered again in the new result; `was` is the number in the first one."""

    @server.prompt(title="Inspect, doubt and refine")
    def inspect_and_refine(image: str, what: str) -> str:
        """Find something, doubt the outlines, and correct them."""
        return f"""\
Find {what!r} in the image {image!r} and do not trust the first answer.
1. reason_segment(image={image!r}, query={what!r}, columns=['score']); look at picture, scores and areas.
2. Doubt regions that are far larger or smaller than the rest, score low, or look wrong: \
describe_region(result_id, region_id, question='Is this {what}?'). Its `claimed` is a model's opinion, `measured` is not.
3. Correct: drop=[ids] for wrong ones; negative_points=[[lon, lat]] inside what should not belong; \
positive_points=[[lon, lat]] on what was missed; min_area_m2 against specks.
4. Repeat from 2 until nothing changes, at most three times.
Report what you changed and why, the final count and total area with plus/minus, and the result_id."""


async def checked_prompt(server: MCPServer[Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the checked parameters of prompts/get. Raises `argument_invalid` with the known prompts or arguments."""
    prompts = {prompt.name: prompt for prompt in await server.list_prompts()}
    name, given = params.get("name"), params.get("arguments") or {}
    if not isinstance(name, str) or name not in prompts:
        raise T2SError(
            "argument_invalid", f"there is no prompt {str(name)[:60]!r}", f"Choose from {', '.join(prompts)}"
        )
    wanted = [argument.name for argument in prompts[name].arguments or ()]
    if not isinstance(given, Mapping) or set(given) != set(wanted):
        raise T2SError("argument_invalid", f"{name} takes {', '.join(wanted)}", "Give each of them, and nothing else")
    for argument, value in given.items():
        if not isinstance(value, str):
            raise T2SError("argument_invalid", f"{argument} is not text", "Give each argument as text")
        require_at_most(argument, value, LONGEST_QUERY)
    return {**params, "arguments": {argument: one_line(value, LONGEST_QUERY) for argument, value in given.items()}}
