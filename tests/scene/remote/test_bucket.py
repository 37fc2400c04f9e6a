"""Addresses of objects: one reading of each, and buckets that are allowed by name."""

import pytest

from t2s_agent.errors import T2SError
from t2s_agent.scene.remote.address import require_remote
from t2s_agent.scene.remote.bucket import Buckets, is_object, parse_object


def test_an_object_has_a_bucket_and_a_key_as_it_is():
    found = parse_object("s3://my.bucket-1/2024/a b+c%20ü.tif")
    assert (found.scheme, found.bucket, found.key) == ("s3", "my.bucket-1", "2024/a b+c%20ü.tif")
    assert (found.place, found.shown) == ("s3://my.bucket-1", "s3://my.bucket-1/2024/a b+c%20ü.tif")
    assert parse_object(require_remote("GS:/bucket/a.tif")).shown == "gs://bucket/a.tif"
    assert is_object("az://box/a.tif")
    assert not is_object("https://s3.example.org/a.tif")


@pytest.mark.parametrize(
    "text",
    ["s3://bucket", "s3://bucket/", "s3:///a.tif", "s3://Bucket/a.tif", "s3://user:word@bucket/a.tif", "s3://b:80/a.tif",
     "s3://bucket/a/../b.tif", "s3://bucket//a.tif", "s3://bucket/a.tif?versionId=SECRET", "s3://bucket/a.tif#x",
     "s3://bucket/a\\b.tif", "s3://bucket/a\nb.tif", "s3://bucket/" + "a" * 1025, "s3://b/a.tif", "abfs://bucket/a.tif"],
)  # fmt: skip
def test_odd_forms_are_refused(text):
    with pytest.raises(T2SError) as caught:
        parse_object(text)
    assert caught.value.code == "remote_refused"
    assert "SECRET" not in str(caught.value)
    assert "word" not in str(caught.value)


def test_only_an_allowed_bucket_of_the_same_kind_has_options():
    buckets = Buckets({"s3://mine": {"region": "eu-central-1"}})
    assert buckets.options_of(parse_object("s3://mine/a.tif")) == {"region": "eu-central-1"}
    for other in ("s3://mine2/a.tif", "gs://mine/a.tif", "s3://min/a.tif"):
        with pytest.raises(T2SError, match="allowed buckets only") as caught:
            buckets.options_of(parse_object(other))
        assert "T2S_OBJECT_BUCKETS='{\"" in caught.value.fix


@pytest.mark.parametrize(
    ("allowed", "named"),
    [({"mine": {}}, "'mine'"), ({"ftp://mine": {}}, "ftp"), ({"s3://a/b": {}}, "a/b"), ({"s3://*": {}}, "s3"),
     ({"s3://mine": {"secret_access_key": "WORD"}}, "secret_access_key"), ({"gs://mine": {"region": "x"}}, "region")],
)  # fmt: skip
def test_a_setting_that_cannot_be_used_is_named(allowed, named):
    with pytest.raises(T2SError, match="object_buckets has") as caught:
        Buckets(allowed)
    assert named in caught.value.what
    assert "WORD" not in str(caught.value)
