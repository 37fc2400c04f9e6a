"""The server as an agent meets it, in memory, in both eras of the protocol."""

import json
import re

import pytest
from served.data import rows_of, settings_in

from t2s_agent.server.build import build_server


def facts(result):
    assert not result.is_error, result.content[0].text
    return json.loads(result.content[0].text)


def error(result):
    assert result.is_error
    text = result.content[0].text
    assert len(text) <= 400
    assert re.match(r"[a-z_]+: .+\. .+\.$", text, re.DOTALL), text
    return text


def nodes(schema):
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from nodes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from nodes(value)


def test_there_are_three_tools_and_their_list_is_under_ten_kilobytes(server, ask, era):
    listed = ask(server, lambda client: client.list_tools(), era)
    assert [tool.name for tool in listed.tools] == ["reason_segment", "refine_mask", "describe_region"]
    assert len(listed.model_dump_json(by_alias=True, exclude_none=True)) < 10_000


def test_schemas_are_flat(server, ask):
    for tool in ask(server, lambda client: client.list_tools()).tools:
        assert (
            "additionalProperties" not in tool.input_schema
        )  # google-genai cannot convert it; our check refuses all the same
        for schema in (tool.input_schema, tool.output_schema):
            for node in nodes(schema):
                assert not {"anyOf", "oneOf", "allOf", "prefixItems", "$ref", "$defs"} & node.keys()


def test_an_argument_that_may_be_left_out_has_a_default(server, ask):
    for tool in ask(server, lambda client: client.list_tools()).tools:  # DSPy requires whatever has none
        open_ones = {name for name, schema in tool.input_schema["properties"].items() if "default" not in schema}
        assert open_ones == set(tool.input_schema.get("required", []))


def test_tools_say_that_they_read_only(server, ask):
    for tool in ask(server, lambda client: client.list_tools()).tools:
        assert tool.annotations.read_only_hint
        assert tool.annotations.idempotent_hint
        assert tool.annotations.open_world_hint is False


def test_a_prompter_elsewhere_makes_the_world_open(place, ask):
    server = build_server(settings_in(place, prompter="https://models.example.org/v1#m"))
    assert all(tool.annotations.open_world_hint for tool in ask(server, lambda client: client.list_tools()).tools)


def test_an_answer_says_the_same_in_text_and_in_structure(server, call, era):
    result = call(server, "reason_segment", era, image="harbour.tif", query="tanks")
    assert facts(result) == result.structured_content


def test_a_question_gives_measured_regions(server, call):
    told = facts(call(server, "reason_segment", image="harbour.tif", query="tanks"))
    assert (told["status"], told["total"]) == ("found", 2)
    assert told["columns"] == ["id", "area_m2", "pm", "lon", "lat"]
    first = rows_of(told)[0]
    assert first["area_m2"] == pytest.approx(100, rel=2e-3)
    assert 0 < first["pm"] < 15
    assert first["lon"] == pytest.approx(4.45333, abs=1e-5)
    assert first["lat"] == pytest.approx(51.89169, abs=2e-5)


def test_which_tanks_are_near_the_quay_is_answered_by_chaining(server, ask):
    async def chain(client):
        tanks = facts(await client.call_tool("reason_segment", {"image": "harbour.tif", "query": "tanks"}))
        quay = facts(await client.call_tool("reason_segment", {"image": "harbour.tif", "query": "quay"}))
        near = facts(
            await client.call_tool(
                "refine_mask",
                {"result_id": tanks["result_id"], "combine_with": quay["result_id"], "within_m": 32},
            )
        )
        return tanks, quay, near, facts(await client.call_tool("describe_region", {"result_id": near["result_id"]}))

    tanks, quay, near, described = ask(server, chain)
    # the first tank lies 60 px = 30 m above the quay, the second 30 px farther to the right: 33.5 m
    assert near["total"] == 1
    (left,) = rows_of(near)
    assert (left["lon"], left["was"], left["nearest_id"]) == (rows_of(tanks)[0]["lon"], 1, 1)
    assert left["nearest_m"] == pytest.approx(30, rel=2e-3)
    assert near["left_out"] == {"within_m": 1}
    assert described["parents"] == [tanks["result_id"], quay["result_id"]]
    assert described["measured"]["count"] == 1
    assert described["measured"]["total_area_m2"] == near["total_area_m2"]


def test_a_refinement_says_what_was_done_and_which_regions_are_left(server, ask):
    async def chain(client):
        tanks = facts(await client.call_tool("reason_segment", {"image": "harbour.tif", "query": "tanks"}))
        asked = {"result_id": tanks["result_id"], "drop": [1]}
        return facts(await client.call_tool("refine_mask", asked))

    told = ask(server, chain)
    assert (told["total"], told["left_out"]) == (1, {"drop": 1})
    assert [(row["id"], row["was"]) for row in rows_of(told)] == [(1, 2)]


def test_nothing_found_is_an_answer(server, call):
    told = facts(call(server, "reason_segment", image="harbour.tif", query="nothing"))
    assert (told["status"], told["total"], told["rows"]) == ("empty", 0, [])


def test_an_image_without_a_place_is_measured_in_pixels(server, call):
    told = facts(call(server, "reason_segment", image="photo.png", query="tanks"))
    assert told["columns"] == ["id", "area_px2", "pm", "x_px", "y_px"]
    assert told["rows"][0] == [1, 400, 40, 20, 20]


def test_a_long_result_is_paged_by_region_id_until_all_are_told(server, ask):
    async def pages(client):
        first = facts(
            await client.call_tool("reason_segment", {"image": "harbour.tif", "query": "many", "max_regions": 500})
        )
        told, following, sizes = [row[0] for row in first["rows"]], first.get("next"), []
        while following:
            arguments = dict(re.findall(r'(\w+)="?([^",)]+)', following.partition("(")[2]))
            arguments["first_region"] = int(arguments["first_region"])
            result = await client.call_tool("describe_region", arguments)
            sizes.append(len(result.content[0].text.encode()))
            page = facts(result)
            told += [row[0] for row in page["rows"]]
            following = page.get("next")
        return first, told, sizes

    first, told, sizes = ask(server, pages)
    assert len(json.dumps(first).encode()) < 16_000
    assert len(first["rows"]) < first["total"]
    assert told == list(range(1, first["total"] + 1))
    assert max(sizes) < 12_000


def test_the_text_of_an_answer_stays_under_twelve_kilobytes(server, call):
    result = call(server, "reason_segment", image="harbour.tif", query="many", max_regions=500)
    assert len(result.content[0].text.encode()) < 12_000


def test_a_small_picture_comes_with_an_answer_unless_it_is_not_wanted(server, call):
    result = call(server, "reason_segment", image="harbour.tif", query="tanks")
    assert [content.type for content in result.content] == ["text", "image"]
    assert len(result.content[1].data) < 60_000
    result = call(server, "reason_segment", image="harbour.tif", query="tanks", preview=False)
    assert [content.type for content in result.content] == ["text"]


def test_describing_nothing_lists_the_images(server, call):
    images = rows_of(facts(call(server, "describe_region")))
    assert [image["image"] for image in images] == ["harbour.tif", "photo.png", "sub/field.tif"]
    assert (images[0]["crs"], images[0]["width_px"]) == ("EPSG:32631", 120)


def test_an_outline_is_told_on_request(server, ask):
    async def chain(client):
        wanted = {"image": "harbour.tif", "query": "tanks", "columns": ["bbox"]}
        made = facts(await client.call_tool("reason_segment", wanted))
        asked = {"result_id": made["result_id"], "region_id": 2, "detail": "outline"}
        return made["rows"][1][-4:], facts(await client.call_tool("describe_region", asked))["outline"]

    (west, south, east, north), (ring,) = ask(server, chain)
    assert ring[0] == ring[-1]
    assert (min(p[0] for p in ring), max(p[0] for p in ring)) == (west, east)
    assert (min(p[1] for p in ring), max(p[1] for p in ring)) == (south, north)


def test_a_models_claim_stands_apart_from_what_is_measured(server, call):
    told = facts(call(server, "describe_region", image="harbour.tif", question="unreadable"))
    assert told["claimed"] == "I would rather talk about the weather."
    assert told["claimed_by"].startswith("scripted")
    assert "weather" not in json.dumps(told["measured"])


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("reason_segment", {"image": "harbor.tif", "query": "tanks"}, "image_not_found.*Did you mean 'harbour.tif'"),
        ("reason_segment", {"image": "feild.tif", "query": "tanks"}, "image_not_found.*'sub/field.tif'"),
        ("reason_segment", {"image": "zzz", "query": "tanks"}, "image_not_found.*The images are 'harbour.tif'"),
        ("reason_segment", {"image": "harbour.tif"}, "argument_invalid: reason_segment needs query"),
        ("reason_segment", {"image": "harbour.tif", "query": "tanks", "bbx": []}, "no argument 'bbx'. Did you mean bbox"),
        ("reason_segment", {"image": "harbour.tif", "query": "tanks", "max_regions": "seven"}, "not a whole number"),
        ("reason_segment", {"image": "harbour.tif", "query": "tanks", "max_regions": 0}, "from 1 to 500"),
        ("reason_segment", {"image": "harbour.tif", "query": " "}, "argument_invalid: the question is empty"),
        ("reason_segment", {"image": "harbour.tif", "query": "tanks", "bbox": [1, 2]}, "bbox_invalid.*four numbers"),
        (
            "reason_segment",
            {"image": "harbour.tif", "query": "tanks", "bbox": [1, 2, 3, 4]},
            r"bbox_outside.*covers west, south, east, north = 4\.4",
        ),
        (
            "reason_segment",
            {"image": "harbour.tif", "query": "tanks", "bbox": [51.89, 4.453, 51.9, 4.4535]},
            "latitude and longitude look swapped.*covers",
        ),
        (
            "reason_segment",
            {"image": "harbour.tif", "query": "tanks", "bbox": [4.4, 52, 4.5, 51]},
            r"bbox_invalid.*upside down.*\[west, south, east, north\] in degrees.*covers",
        ),
        ("reason_segment", {"image": "photo.png", "query": "tanks", "bbox": [1, 2, 3, 4]}, "no_georeference.*Leave bbox"),
        ("reason_segment", {"image": "harbour.tif", "query": "unreadable"}, "answer_unparsable"),
        ("refine_mask", {"result_id": "r_12345678"}, "result_unknown.*r_12345678"),
        ("describe_region", {"result_id": "r_12345678"}, "result_unknown"),
        ("describe_region", {"result_id": "r_12345678", "image": "harbour.tif"}, "both given"),
        ("describe_region", {"region_id": 3}, "region_id cannot be used here: neither result_id nor image"),
        ("describe_region", {"image": "harbour.tif", "detail": "outline"}, "detail cannot be used here"),
        ("describe_region", {"result_id": ""}, "argument_invalid: result_id is empty"),
        ("refine_mask", {"result_id": ""}, "argument_invalid: result_id is empty"),
        ("describe_region", {"columns": ["length"]}, "columns cannot be used here: neither result_id nor image"),
        ("describe_region", {"image": "harbour.tif", "sort_by": "area"}, "sort_by cannot be used here: it goes with result_id"),
        ("reason_segment", {"image": "harbour.tif", "query": "tanks", "columns": ["lenght"]}, "columns.*Did you mean length"),
        ("segment", {"image": "harbour.tif"}, "no tool 'segment'. Did you mean reason_segment"),
    ],
)  # fmt: skip
def test_what_an_agent_gets_wrong_is_told_with_the_way_out(server, call, tool, arguments, expected):
    assert re.search(expected, error(call(server, tool, **arguments)))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"drop": [9]}, "region_unknown.*1, 2"),
        ({}, "argument_invalid: there is nothing to do"),
        ({"within_m": 5}, "within_m without combine_with"),
        ({"beyond_m": 5}, "beyond_m without combine_with"),
        ({"within_m": 0}, "within_m without combine_with"),
        ({"sort_by": "nearest"}, "sort_by='nearest' without combine_with"),
        ({"sort_by": "size"}, "Choose from none, area"),
        ({"within_m": -2}, "within_m = -2 is too small. Give a number of at least -1"),
        ({"within_m": -0.5}, "within_m = -0.5 is not a distance"),
        ({"operation": "add"}, "Choose from none, union"),
        ({"operation": "unoin"}, "Did you mean union"),
        ({"positive_points": [4.45, 51.89]}, r"not a list.*\[\[4.35, 51.87\]"),
        ({"positive_points": [[51.8915, 4.4536]]}, "swapped.*covers"),
        ({"positive_points": [[4.4, 51.8, 1]]}, r"not \[lon, lat\]"),
        ({"keep": ["one"]}, "has 'one'"),
    ],
)
def test_a_refinement_that_makes_no_sense_is_told_with_the_way_out(server, ask, arguments, expected):
    async def chain(client):
        made = facts(await client.call_tool("reason_segment", {"image": "harbour.tif", "query": "tanks"}))
        return await client.call_tool("refine_mask", {"result_id": made["result_id"], **arguments})

    assert re.search(expected, error(ask(server, chain)))


def test_outside_and_not_there_are_told_in_the_same_words(place, server, call):
    (place / "secret.tif").write_bytes((place / "images" / "harbour.tif").read_bytes())
    there = error(call(server, "reason_segment", image="../secret.tif", query="tanks"))
    not_there = error(call(server, "reason_segment", image="../secre7.tif", query="tanks"))
    assert there.replace("secret", "secre7") == not_there


def test_without_roots_only_the_demo_scene_is_there(place, call):
    server = build_server(settings_in(place, roots=()))
    (image,) = rows_of(facts(call(server, "describe_region")))
    assert (image["image"], image["width_px"]) == ("harbour.tif", 640)
    assert "image_not_found" in error(
        call(server, "reason_segment", image=str(place / "images" / "harbour.tif"), query="tanks")
    )


def test_a_fault_of_our_own_reaches_the_agent_as_internal_and_the_log_with_its_traceback(place, call, caplog):
    (place / "store").mkdir()
    settings = settings_in(place)

    class Broken:
        def segmenter(self):
            raise ZeroDivisionError("secret detail")

    told = error(call(build_server(settings, models=Broken()), "reason_segment", image="harbour.tif", query="tanks"))
    assert told.startswith("internal: ")
    assert "secret detail" not in told
    assert "secret detail" in caplog.text


def test_a_list_that_came_as_text_is_read(server, call):
    told = facts(call(server, "reason_segment", image="harbour.tif", query="tanks", bbox="[4.4, 51.8, 4.5, 51.95]"))
    assert told["status"] == "found"


def test_other_tools_can_be_added_and_keep_their_own_laxness(server, call):
    @server.tool()
    def sum_of(a: int, b: int = 1) -> int:
        return a + b

    assert call(server, "sum_of", a=1, other="ignored").structured_content == {"result": 2}
