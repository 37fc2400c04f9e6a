"""The picture of a STAC item: asset, place, bands."""

import pytest

from t2s_agent.errors import T2SError
from t2s_agent.scene.stac import is_item, picture_of, split_asset

TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


def item(links=(), **assets):
    return {"type": "Feature", "id": "a", "links": list(links), "assets": assets}


def data(href="./a.tif", **more):
    return {"href": href, "type": TIFF, "roles": ["data"], **more}


def eo(*names):
    """Bands of STAC 1.0."""
    return {"eo:bands": [{"name": f"B{i}", "common_name": name} for i, name in enumerate(names)]}


def test_the_asset_called_visual_comes_first():
    found = picture_of(item(B04=data("b4.tif"), visual=data("v.tif")), "/items/a.json")
    assert (found.image, found.asset, found.bands) == ("/items/v.tif", "visual", None)


def test_an_asset_may_be_named():
    assert split_asset("a/item.json#B%2004") == ("a/item.json", "B 04")
    assert picture_of(item(B04=data("b4.tif"), visual=data("v.tif")), "/items/a.json", "B04").image == "/items/b4.tif"
    with pytest.raises(T2SError, match="There are: B04, visual"):
        picture_of(item(B04=data(), visual=data()), "/items/a.json", "red")


def test_without_visual_it_is_the_data_with_red_green_and_blue_in_one_file():
    whole = item(thumbnail={"href": "t.jpg", "type": "image/jpeg", "roles": ["thumbnail"]},
                 ndvi=data("n.tif"), image=data("i.tif", **eo("blue", "green", "red", "nir")))  # fmt: skip
    found = picture_of(whole, "/items/a.json")
    assert (found.asset, found.bands) == ("image", "3,2,1")


def test_bands_of_stac_1_1_are_read():
    bands = {"bands": [{"name": "nir"}, {"eo:common_name": "red"}, {"eo:common_name": "green"}, {"name": "Blue"}]}
    assert picture_of(item(image=data(**bands)), "/items/a.json").bands == "2,3,4"


def test_bands_in_separate_files_are_not_chosen_between():
    with pytest.raises(T2SError, match=r"a\.json#ASSET.*B02, B03, B04"):
        picture_of(item(B02=data(**eo("blue")), B03=data(**eo("green")), B04=data(**eo("red"))), "/items/a.json")


def test_relative_hrefs_count_from_the_item(tmp_path):
    address = "https://data.example.org/c/a.json?sig=x"
    assert picture_of(item(image=data("../i.tif")), address).image == "https://data.example.org/i.tif"
    links = [{"rel": "self", "href": "https://data.example.org/c/a.json"}]
    saved = str(tmp_path / "a.json")
    assert picture_of(item(links, image=data()), saved).image == "https://data.example.org/c/a.tif"
    (tmp_path / "a.tif").touch()
    assert picture_of(item(links, image=data()), saved).image == str(tmp_path / "a.tif")
    assert picture_of(item(image=data("file:///data/b%20c.tif")), saved).image == "/data/b c.tif"


def test_an_item_of_the_web_names_no_file_of_this_machine():
    for href in ("file:///etc/passwd", "/etc/passwd"):
        found = picture_of(item(image=data(href)), "https://data.example.org/a.json").image
        assert found.startswith(("file:", "https://data.example.org/"))  # file: is refused when it is opened


@pytest.mark.parametrize(
    "whole",
    [
        [],
        {},
        {"type": "Feature"},
        {"type": "Feature", "assets": []},
        {"type": "FeatureCollection", "features": []},
        item(),
    ],
)
def test_what_is_no_item_with_pictures_is_refused(whole):
    with pytest.raises(T2SError) as caught:
        picture_of(whole, "/items/a.json")
    assert caught.value.code == "argument_invalid"


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("a/item.json", True),
        ("https://h/i.JSON?sig=x.tif", True),
        ("i.json#red", True),
        ("a.tif", False),
        ("a.tif#x.json", False),
    ],
)
def test_items_are_known_by_their_ending(text, yes):
    assert is_item(text) == yes
