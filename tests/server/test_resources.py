"""Resources and their completion: images, and the files of one's own results."""

import json

import pytest
from mcp import MCPError
from mcp_types import PromptReference, ResourceTemplateReference
from served.data import settings_in

from t2s_agent.server import resources
from t2s_agent.server.build import build_server

TANKS = {"image": "harbour.tif", "query": "tanks"}


async def made(client):
    result = await client.call_tool("reason_segment", TANKS)
    return json.loads(result.content[0].text)["result_id"]


def test_images_are_listed_with_size_crs_and_resolution(server, ask, era):
    listed = ask(server, lambda client: client.list_resources(), era).resources
    about = {str(resource.uri): resource.description for resource in listed}
    assert about["t2s://images/harbour.tif"].startswith("120 x 100 px, 3 bands, EPSG:32631, 0.5")
    assert about["t2s://images/photo.png"] == "60 x 40 px, 3 bands, no CRS"
    assert "t2s://images/sub/field.tif" in about


def test_an_image_in_a_folder_is_read_by_its_name(server, ask, era):
    read = ask(server, lambda client: client.read_resource("t2s://images/sub/field.tif"), era)
    assert json.loads(read.contents[0].text)["width_px"] == 120


def test_a_file_that_is_no_image_is_listed_with_what_is_wrong(place, server, ask):
    (place / "images" / "text.tif").write_text("no image")
    listed = ask(server, lambda client: client.list_resources()).resources
    (about,) = (resource.description for resource in listed if resource.name == "text.tif")
    assert about.startswith("image_unreadable")


def test_many_images_come_in_pages(server, ask, monkeypatch):
    monkeypatch.setattr(resources, "PAGE", 2)

    async def pages(client):
        names, cursor = [], None
        while True:
            page = await client.list_resources(cursor=cursor)
            names.append([resource.name for resource in page.resources])
            cursor = page.next_cursor
            if cursor is None:
                return names

    first, last = ask(server, pages)
    assert [name for name in first + last if "." in name] == ["harbour.tif", "photo.png", "sub/field.tif"]


def test_every_file_of_a_result_can_be_read(server, ask, era):
    async def read(client):
        base = f"t2s://results/{await made(client)}"
        files = ("record.json", "regions.geojson", "mask.tif", "preview.png", "view")
        return [(await client.read_resource(f"{base}/{name}")).contents[0] for name in files]

    record, polygons, mask, preview, view = ask(server, read, era)
    assert json.loads(record.text)["query"] == "tanks"
    assert len(json.loads(polygons.text)["features"]) == 2
    assert mask.mime_type == "image/tiff"
    assert preview.blob.startswith("iVBOR")  # PNG
    assert json.loads(view.text)


def test_a_file_too_large_for_an_answer_is_refused_with_the_way_to_its_pages(server, ask, monkeypatch):
    monkeypatch.setattr(resources, "_MOST_BYTES", 500)

    async def read(client):
        id_ = await made(client)
        with pytest.raises(MCPError, match=r'describe_region\(detail="regions"\)'):
            await client.read_resource(f"t2s://results/{id_}/regions.geojson")

    ask(server, read)


def test_a_record_does_not_tell_where_files_lie(place, server, ask):
    async def read(client):
        return (await client.read_resource(f"t2s://results/{await made(client)}/record.json")).contents[0].text

    text = ask(server, read)
    assert str(place) not in text
    record = json.loads(text)
    assert "path" not in record["scene"]
    assert "owner" not in record
    assert record["parents"] == []


@pytest.mark.parametrize(
    "uri",
    [
        "t2s://results/r_00000000/record.json",
        "t2s://results/..%2F..%2Fsecret/mask.tif",
        "t2s://images/../secret.tif",
        "t2s://images/%2Fetc%2Fpasswd",
        "t2s://images/none.tif",
        "t2s://elsewhere",
    ],
)
def test_what_is_not_there_or_not_allowed_is_an_error_of_one_kind(server, ask, era, uri):
    async def read(client):
        with pytest.raises(MCPError) as caught:
            await client.read_resource(uri)
        return caught.value.error.code

    assert ask(server, read, era) == -32602


def test_results_are_listed_newest_first_after_the_images(server, ask):
    async def listed(client):
        ids = [await made(client), await made(client)]
        names = [resource.name for resource in (await client.list_resources()).resources]
        return ids, [name for name in names if name.startswith("r_")]

    ids, names = ask(server, listed)
    assert sorted(names) == sorted(ids)


def test_names_and_ids_are_completed(server, ask, era):
    async def completed(client):
        id_ = await made(client)
        image = ResourceTemplateReference(type="ref/resource", uri="t2s://images/{+name}")
        record = ResourceTemplateReference(type="ref/resource", uri="t2s://results/{result_id}/record.json")
        prompt = PromptReference(type="ref/prompt", name="near")
        return id_, [
            (await client.complete(ref, {"name": name, "value": value})).completion.values
            for ref, name, value in (
                (image, "name", "fie"),
                (record, "result_id", "r_"),
                (prompt, "image", "HARB"),
                (prompt, "what", "ta"),
            )
        ]

    id_, values = ask(server, completed, era)
    assert values == [["sub/field.tif"], [id_], ["harbour.tif"], []]


def test_resources_follow_what_lies_in_the_folder(place, server, ask):
    async def twice(client):
        before = {r.name for r in (await client.list_resources(cache_mode="bypass")).resources}
        (place / "images" / "harbour.tif").rename(place / "images" / "port.tif")
        return before, {r.name for r in (await client.list_resources(cache_mode="bypass")).resources}

    before, after = ask(server, twice)
    assert (before ^ after) == {"harbour.tif", "port.tif"}


def test_without_roots_the_demo_scene_is_the_only_resource(place, ask):
    server = build_server(settings_in(place, roots=()))
    listed = ask(server, lambda client: client.list_resources()).resources
    assert [str(r.uri) for r in listed if str(r.uri).startswith("t2s:")] == ["t2s://images/harbour.tif"]
