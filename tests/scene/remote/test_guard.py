"""The guard: which addresses are public, that a connection goes to the checked address, and that nothing goes around it."""

import socket
from ipaddress import ip_address

import httpx
import pytest

from evals.remote.serving import https_files
from t2s_agent.errors import T2SError
from t2s_agent.scene.remote.address import Hosts
from t2s_agent.scene.remote.guard import GuardedTransport, is_public, resolve

PRIVATE = """
    0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.8.9.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1
    192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
    :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:93.184.216.34 64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 2001:db8::1
    2001:20::1 2002:7f00:1::1 3fff::1 5f00::1 fc00::1 fd12:3456::1 fe80::1 fec0::1 ff02::1 2a00:1:2:3:0:5efe:7f00:1
    2a00:1:2:3:200:5efe:7f00:1
""".split()  # noqa: SIM905 (reads better)


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public_are_known(address):
    assert not is_public(ip_address(address))


def test_a_zone_makes_an_address_local():
    assert not is_public(ip_address("2a00:1450:4001:81b::200e%eth0"))


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_addresses_are_known(address):
    assert is_public(ip_address(address))


def answers(*addresses):
    """What getaddrinfo gives for a name with these addresses."""
    return lambda host, port, **_: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]


def test_one_private_address_among_public_ones_is_refused(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", answers("93.184.216.34", "127.0.0.1"))
    with pytest.raises(T2SError, match=r"127\.0\.0\.1, which is not a public one") as caught:
        resolve("data.example.org", 443, private=False)
    assert caught.value.code == "remote_refused"


def test_a_name_that_is_not_found_is_said(monkeypatch):
    def missing(*_, **__):
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", missing)
    with pytest.raises(T2SError, match=r"the name data\.example\.org was not found"):
        resolve("data.example.org", 443, private=False)


def get(served, hosts, **options):
    with httpx.Client(transport=GuardedTransport(hosts, **options), trust_env=False) as client:
        return client.get(f"{served.url}/a.txt")


@pytest.fixture
def served(tmp_path):
    (tmp_path / "a.txt").write_text("hello", encoding="utf-8")
    with https_files(tmp_path) as server:
        yield server


def test_an_allowed_server_of_ones_own_answers(served):
    assert get(served, Hosts(private=(served.host,)), ca_file=served.ca).text == "hello"


def test_a_host_on_this_machine_is_refused_unless_it_may_be_private(served):
    with pytest.raises(T2SError, match="T2S_REMOTE_PRIVATE_HOSTS=localhost"):
        get(served, Hosts((served.host,)), ca_file=served.ca)
    assert served.requests == []


def test_a_second_answer_of_the_name_server_is_not_asked_for(served, monkeypatch):
    """Rebinding: a name that has a public address when it is checked, and a private one afterwards."""
    asked, connected = [], []

    def first_public(host, port, **options):
        asked.append(host)
        return answers("93.184.216.34" if len(asked) == 1 else "127.0.0.1")(host, port)

    def no_connection(address, *_, **__):
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", first_public)
    monkeypatch.setattr(socket, "create_connection", no_connection)
    with pytest.raises(httpx.ConnectError):
        get(served, Hosts((served.host,)), ca_file=served.ca)
    assert (connected, len(asked)) == (["93.184.216.34"], 1)
    assert served.requests == []


def test_a_certificate_of_another_name_is_not_accepted(tmp_path):
    with (
        https_files(tmp_path, certificate_for="other.example.org") as served,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        get(served, Hosts(private=(served.host,)), ca_file=served.ca)
    assert served.requests == []


def test_an_unknown_certificate_is_not_accepted(served):
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        get(served, Hosts(private=(served.host,)))


def test_a_file_without_certificates_is_refused_by_the_name_of_the_setting(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing", encoding="utf-8")
    with pytest.raises(T2SError, match="remote_ca_file"):
        GuardedTransport(Hosts(), ca_file=tmp_path / "ca.pem")


def test_proxies_of_the_environment_are_not_used(served, monkeypatch, caller):
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, caller.url)
    assert get(served, Hosts(private=(served.host,)), ca_file=served.ca).text == "hello"
    assert caller.requests == []


def test_an_address_that_is_not_https_is_refused_by_the_transport_too(served, caller):
    transport = GuardedTransport(Hosts(private=(served.host,)), ca_file=served.ca)
    with httpx.Client(transport=transport, trust_env=False) as client, pytest.raises(T2SError, match="https"):
        client.get(f"{caller.url}/a.txt")
    assert caller.requests == []
