"""Worked workflows as prompts."""

import json
import re

import pytest


def test_there_are_three_workflows_with_their_arguments(server, ask, era):
    prompts = ask(server, lambda client: client.list_prompts(), era).prompts
    assert {p.name: [a.name for a in p.arguments] for p in prompts} == {
        "count_and_measure": ["image", "what"],
        "near": ["image", "what", "other", "distance_m"],
        "inspect_and_refine": ["image", "what"],
    }


@pytest.mark.parametrize("name", ["count_and_measure", "near", "inspect_and_refine"])
def test_a_workflow_names_only_tools_and_arguments_that_there_are(server, ask, name):
    async def read(client):
        given = {"image": "harbour.tif", "what": "tanks", "other": "quay", "distance_m": "100"}
        wanted = {p.name: {a.name for a in p.arguments} for p in (await client.list_prompts()).prompts}[name]
        prompt = await client.get_prompt(name, {k: v for k, v in given.items() if k in wanted})
        tools = {tool.name: tool.input_schema["properties"] for tool in (await client.list_tools()).tools}
        return prompt.messages[0].content.text, tools

    text, tools = ask(server, read)
    assert "tanks" in text
    calls = re.findall(r"(reason_segment|refine_mask|describe_region)\(([^)]*)\)", text)
    assert calls
    for tool, arguments in calls:
        for argument in re.findall(r"(\w+)=", arguments):
            assert argument in tools[tool], (tool, argument)


def test_the_workflow_about_nearness_works_as_it_is_written(server, ask):
    async def follow(client):
        prompt = await client.get_prompt(
            "near", {"image": "harbour.tif", "what": "tanks", "other": "quay", "distance_m": "32"}
        )
        text = prompt.messages[0].content.text
        ids = []
        for query in re.findall(r"reason_segment\(image='harbour.tif', query='(\w+)'\)", text):
            answer = await client.call_tool("reason_segment", {"image": "harbour.tif", "query": query})
            ids.append(json.loads(answer.content[0].text)["result_id"])
        metres = float(re.search(r"within_m=(\d+)", text)[1])
        asked = {"result_id": ids[0], "combine_with": ids[1], "within_m": metres}
        return json.loads((await client.call_tool("refine_mask", asked)).content[0].text)

    assert ask(server, follow)["total"] == 1
