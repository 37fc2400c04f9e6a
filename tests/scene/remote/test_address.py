"""Addresses of remote images: parts, odd forms, allowed hosts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.errors import T2SError
from t2s_agent.scene.remote.address import Hosts, is_address, parse_address, require_https, without_secrets


def test_an_address_has_a_host_a_port_a_path_and_a_query_that_is_not_shown():
    address = parse_address("https://Data.Example.org/a/b%20c.tif?sig=SECRET")
    assert (address.host, address.port, address.path) == ("data.example.org", 443, "/a/b%20c.tif")
    assert address.url == "https://data.example.org/a/b%20c.tif?sig=SECRET"
    assert address.shown == "https://data.example.org/a/b%20c.tif"
    assert address.name == "b c.tif"
    assert "SECRET" not in repr(address)


def test_a_name_from_an_address_is_one_name_of_a_file():
    assert parse_address("https://example.org/a%2Fb%00.tif").name == "a_b_.tif"
    assert parse_address("https://example.org/").name == "example.org"


@pytest.mark.parametrize(
    "text",
    [
        "http://example.org/a.tif",
        "https:///a.tif",
        "https://user@example.org/a.tif",
        "https://user:word@example.org/a.tif",
        "https://example.org\\@other.org/a.tif",
        "https://example.org./a.tif",
        "https://example.org:0/a.tif",
        "https://example.org:99999/a.tif",
        "https://example.org:/a.tif",
        "https://example.org/a.tif#https://other.org",
        "https://exa mple.org/a.tif",
        "https://example.org/a\n.tif",
        "https://2130706433/a.tif",
        "https://0x7f000001/a.tif",
        "https://0x7f.1/a.tif",
        "https://0177.0.0.1/a.tif",
        "https://127.1/a.tif",
        "https://127.0.0.01/a.tif",
        "https://[::1]/a.tif",
        "https://[fe80::1%25eth0]/a.tif",
        "https://[::ffff:127.0.0.1]/a.tif",
        "https://exämple.org/a.tif",
        "https://example.org%2eother.org/a.tif",
        "https://example..org/a.tif",
        "https://" + "a" * 9_000,
    ],
)
def test_odd_forms_are_refused(text):
    with pytest.raises(T2SError) as caught:
        parse_address(text)
    assert caught.value.code == "remote_refused"


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_refused_without_its_secrets(text):
    said = ""
    try:
        parse_address("https://example.org/a?sig=SECRET" + text)
    except T2SError as error:
        said = str(error)
    assert said == "" or said.startswith("remote_refused")
    assert "SECRET" not in said


def test_without_secrets_leaves_out_user_password_query_and_fragment():
    assert without_secrets("s3://me:word@bucket/a.tif?sig=x#y") == "s3://bucket/a.tif"


@pytest.mark.parametrize("text", ["https://h/a", "S3://b/a", "/vsicurl/https://h/a", "file:///a", "https:/h/a"])
def test_addresses_of_any_kind_are_told_from_paths(text):
    assert is_address(text)


@pytest.mark.parametrize("text", ["a.tif", "/data/a.tif", "C:/data/a.tif", "t2s", "a:b.tif"])
def test_paths_are_no_addresses(text):
    assert not is_address(text)


def test_the_slash_that_a_path_lost_is_put_back():
    assert require_https("https:/example.org/a.tif") == "https://example.org/a.tif"


def test_a_cloud_address_is_answered_with_a_signed_https_address():
    with pytest.raises(T2SError, match="signed https address"):
        require_https("s3://bucket/a.tif")


def test_without_hosts_the_setting_is_named():
    with pytest.raises(T2SError, match=r"T2S_REMOTE_HOSTS=data\.example\.org") as caught:
        Hosts().check(parse_address("https://data.example.org/a.tif?sig=SECRET"))
    assert caught.value.code == "remote_refused"
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "text", "allowed"),
    [
        ("example.org", "https://example.org/a", True),
        ("Example.org", "https://EXAMPLE.org/a", True),
        ("example.org", "https://www.example.org/a", False),
        ("example.org", "https://example.org.evil.net/a", False),
        ("example.org", "https://notexample.org/a", False),
        ("*.example.org", "https://a.b.example.org/a", True),
        ("*.example.org", "https://example.org/a", False),
        ("*.example.org", "https://evilexample.org/a", False),
        ("example.org", "https://example.org:8443/a", False),
        ("example.org:8443", "https://example.org:8443/a", True),
        ("example.org:8443", "https://example.org/a", False),
    ],
)
def test_hosts_are_allowed_by_name_and_port(entry, text, allowed):
    hosts = Hosts((entry,))
    if allowed:
        hosts.check(parse_address(text))
    else:
        with pytest.raises(T2SError, match="not among the allowed hosts"):
            hosts.check(parse_address(text))


@pytest.mark.parametrize(
    "entry", ["*", "*.org", "https://example.org", "example.org/a", "a b", "", "example.org:x", "[::1]"]
)
def test_an_entry_that_is_no_name_is_refused_by_the_name_of_the_setting(entry):
    with pytest.raises(T2SError, match="remote_hosts"):
        Hosts((entry,))
