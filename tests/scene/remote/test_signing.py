"""Objects of S3, Google Cloud Storage and Azure: signed by obstore, fetched by our own client behind the same guard."""

import sys

import pytest

from evals.remote.serving import https_files
from t2s_agent.errors import T2SError
from t2s_agent.scene import open_scene
from t2s_agent.scene.remote import opening, signing
from t2s_agent.scene.remote.address import Hosts
from t2s_agent.scene.remote.bucket import Buckets, parse_object
from t2s_agent.scene.remote.opening import Remote, open_remote
from t2s_agent.scene.remote.signing import https_address

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "CANARY", "AZURE_STORAGE_ACCOUNT_KEY": "Q0FOQVJZ"}


@pytest.fixture
def keys(monkeypatch):
    """Credentials of the environment. Skips without obstore."""
    pytest.importorskip("obstore", reason="obstore is not installed (extra `object-stores`)")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def remote_of(served, bucket="s3://bucket", **options):
    """What a user allows: one bucket at the server, which has a private address."""
    return Remote(
        Hosts(private=(served.host,)), ca_file=served.ca, buckets=Buckets({bucket: {"endpoint": served.url} | options})
    )


@pytest.mark.parametrize(
    ("text", "options", "address"),
    [
        (
            "s3://bucket/x/a b+ü.tif",
            {"region": "eu-west-1"},
            "https://bucket.s3.eu-west-1.amazonaws.com/x/a%20b%2B%C3%BC.tif",
        ),
        ("s3://my.bucket/a.tif", {}, "https://s3.us-east-1.amazonaws.com/my.bucket/a.tif"),
        ("gs://bucket/a.tif", {}, "https://storage.googleapis.com/bucket/a.tif"),
        ("az://box/a.tif", {"account_name": "acc"}, "https://acc.blob.core.windows.net/box/a.tif"),
        ("s3://bucket/a.tif", {"endpoint": "https://minio.example:9000"}, "https://minio.example:9000/bucket/a.tif"),
    ],
)
def test_a_public_object_has_a_plain_address(text, options, address):
    found = parse_object(text)
    assert https_address(found, Buckets({found.place: options | {"skip_signature": True}})).url == address


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("text", "options", "host", "sign"),
    [
        ("s3://bucket/x/a b.tif", {"region": "eu-west-1"}, "s3.eu-west-1.amazonaws.com", "X-Amz-Signature="),
        ("az://box/a.tif", {"account_name": "acc"}, "acc.blob.core.windows.net", "sig="),
    ],
)
def test_other_objects_have_a_signed_address_that_does_not_show_its_signature(text, options, host, sign):
    found = https_address(parse_object(text), Buckets({parse_object(text).place: options}))
    assert found.host == host
    assert sign in found.query
    assert sign not in repr(found) + found.shown
    assert "CANARY" not in found.url


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("options", [{}, {"skip_signature": True}])
@pytest.mark.parametrize("key", ["a.tif", "2024/ü b+c%20.tif"])
def test_an_object_has_the_pixels_of_the_local_file(make, tmp_path, monkeypatch, options, key):
    monkeypatch.setattr(opening, "_SMALL", 0)
    path = tmp_path / "bucket" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    make.geotiff(path, height=150, width=200, tiled=True, blockxsize=16, blockysize=16, compress="deflate")
    with (
        https_files(tmp_path) as served,
        open_scene(path) as local,
        open_remote(f"s3://bucket/{key}", remote_of(served, **options)) as remote,
    ):
        assert remote.view(max_size=77).digest() == local.view(max_size=77).digest()
        assert remote.address == f"s3://bucket/{key}"
        assert remote.name == path.name
        assert not remote.origin.signed
        assert all(("X-Amz-Signature=" in asked) != bool(options) for asked, _ in served.requests)
        assert len(served.requests) < 6


@pytest.mark.usefixtures("keys")
def test_what_is_not_allowed_gets_no_request_and_no_signature(make, tmp_path, monkeypatch):
    make.geotiff(tmp_path / "bucket.tif")
    monkeypatch.setattr(signing, "_obstore", lambda: pytest.fail("obstore was used"))
    with https_files(tmp_path) as served:
        for text in ("s3://other/a.tif", "gs://bucket/a.tif", "s3://bucket/../a.tif", "s3://bucket/a.tif?x=1"):
            with pytest.raises(T2SError) as caught:
                open_remote(text, remote_of(served))
            assert caught.value.code == "remote_refused"
        with pytest.raises(T2SError, match="allowed buckets only"):
            open_remote("s3://bucket/a.tif", Remote(Hosts(private=(served.host,))))
        assert served.requests == []


@pytest.mark.usefixtures("keys")
def test_a_store_at_a_private_address_is_refused_unless_its_host_is_allowed(tmp_path):
    with https_files(tmp_path) as served:
        remote = Remote(ca_file=served.ca, buckets=Buckets({"s3://bucket": {"endpoint": served.url}}))
        with pytest.raises(T2SError, match="not a public one"):
            open_remote("s3://bucket/a.tif", remote)
        assert served.requests == []


@pytest.mark.usefixtures("keys")
def test_a_redirect_of_a_store_is_not_followed(tmp_path, caller):
    def elsewhere(handler, _):
        handler.send_response(302)
        handler.send_header("Location", f"{caller.url}/a.tif")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with https_files(tmp_path, elsewhere) as served, pytest.raises(T2SError, match="redirects are not followed"):
        open_remote("s3://bucket/a.tif", remote_of(served))
    assert caller.requests == []


@pytest.mark.usefixtures("keys")
def test_a_signature_is_made_anew_before_it_ends(make, tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_SMALL", 0)
    monkeypatch.setattr(opening, "VALID_S", 0.0)
    (tmp_path / "bucket").mkdir()
    make.geotiff(tmp_path / "bucket" / "a.tif", height=150, width=200)
    made = []
    monkeypatch.setattr(opening, "https_address", lambda *given: made.append(given) or https_address(*given))
    with https_files(tmp_path) as served, open_remote("s3://bucket/a.tif", remote_of(served)) as scene:
        scene.view()
        assert len(made) == 1 + len(served.requests)


def test_without_obstore_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(T2SError) as caught:
        https_address(parse_object("s3://bucket/a.tif"), Buckets({"s3://bucket": {}}))
    assert caught.value.code == "model_unavailable"
    assert "object-stores" in caught.value.fix


@pytest.mark.usefixtures("keys")
def test_credentials_that_cannot_sign_are_said_without_them(monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "not base64 CANARY")
    with pytest.raises(T2SError) as caught:
        https_address(parse_object("az://box/a.tif"), Buckets({"az://box": {"account_name": "acc"}}))
    assert caught.value.code == "remote_failed"
    assert "CANARY" not in str(caught.value)
