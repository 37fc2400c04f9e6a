"""The address of a remote image: how it is read, which forms are refused, and which hosts a user allowed.

An address is read here once, strictly; everything else uses the parts. Forms that two readers of addresses could
understand differently (user names, backslashes, numbers as hosts, fragments) are refused.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from urllib.parse import unquote

from t2s_agent.errors import T2SError
from t2s_agent.text import one_line

HTTPS_PORT = 443
_LONGEST = 8_192  # characters: signed addresses have one or two thousand
_FORM = re.compile(r"https://([^/?#]*)(/[^?#]*)?(\?[^#]*)?", re.IGNORECASE | re.ASCII)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(
    r"(?:0x[0-9a-f]*|[0-9]+)"
)  # as last part of a name it makes the whole an IPv4 address, in odd forms
# file:, https:, s3: and GDAL's own /vsicurl/; the second slash is lost if an address was converted to a path
_ANY = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]+):/{1,3}(?=[^/])|/vsi(curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs)(?:_streaming)?/"
)
_CLOUDS = {"s3", "gs", "gcs", "az", "abfs", "abfss", "adl", "wasb", "wasbs"}
_FIX = "Write it as https://HOST/PATH"


@dataclass(frozen=True, slots=True)
class Address:
    """An https address. `query` may hold a signature: it is sent to the server, and never shown, logged or stored."""

    host: str
    port: int
    path: str
    query: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """The whole address, for the request."""
        return f"https://{self._authority}{self.path}{self.query}"

    @property
    def shown(self) -> str:
        """The address without its query, for messages and records."""
        return f"https://{self._authority}{self.path}"

    @property
    def name(self) -> str:
        """The last part of the path, as the name of a file."""
        last = unquote(self.path.rsplit("/", 1)[-1]).replace("/", "_").replace("\x00", "_")
        return one_line(last, 255) or self.host

    @property
    def origin(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port

    @property
    def _authority(self) -> str:
        return self.host if self.port == HTTPS_PORT else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """The parts of an https address. Raises `remote_refused` for odd forms, without showing the query."""
    shown = one_line(without_secrets(text), 200)
    if len(text) > _LONGEST or not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise _refused(shown, "is too long, or has characters that an address cannot have", _FIX)
    found = _FORM.fullmatch(text)
    if found is None:
        raise _refused(shown, "is not an https address without a fragment", _FIX)
    authority, path, query = found[1].lower(), found[2] or "/", found[3] or ""
    if "@" in authority:
        raise _refused(
            shown, "has a user name", "Leave out the user name and password; a signature in the query is kept"
        )
    host, colon, port = authority.partition(":")
    if not _is_host(host):
        raise _refused(shown, "has no usual name as its host", "Name the host in letters, without a dot at the end")
    if colon and not (re.fullmatch(r"[1-9][0-9]{0,4}", port) and int(port) < 2**16):
        raise _refused(shown, "has an odd port", _FIX)
    return Address(host, int(port) if colon else HTTPS_PORT, path, query)


def is_address(text: str) -> bool:
    """Whether an image is named by an address of any kind, and not by a path."""
    return _ANY.match(text) is not None


def require_https(text: str) -> str:
    """An https address with both slashes. Raises `argument_invalid` for addresses of other kinds."""
    found = _ANY.match(text)
    kind = (found[1] or "").lower() if found else ""
    if kind == "https":
        return re.sub(r"(?i)^https:/+", "https://", text)
    what = f"{one_line(without_secrets(text), 120)!r} is an address, and remote images are opened by https only"
    if kind == "file":
        raise T2SError("argument_invalid", what, "Name the file by its path, without file:")
    if kind in _CLOUDS:
        raise T2SError(
            "argument_invalid",
            what,
            "Write s3://, gs:// or az:// for an image, or give a signed https address (a presigned URL, or one with a SAS token)",
        )
    raise T2SError("argument_invalid", what, "Give its https address, or download the file and name it by its path")


def require_remote(text: str) -> str:
    """An https address with both slashes, or that of an object store (`scene.remote.bucket`). Raises `argument_invalid` for others."""
    if found := re.match(r"(s3|gs|az):/{1,2}(?=[^/])", text, re.IGNORECASE):
        return f"{found[1].lower()}://{text[found.end() :]}"
    return require_https(text)


def without_secrets(text: str) -> str:
    """An address of any form without user name, password, query and fragment."""
    return re.sub(r"//[^/@]*@", "//", re.split(r"[?#]", text, maxsplit=1)[0])


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts that a user allowed: names, `*.example.org` (any name below), with `:port` where it is not 443.

    `private` are those, as host:port, that may have private addresses, such as a server on this machine.
    """

    allowed: tuple[str, ...] = ()
    private: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_entries(self.allowed, "remote_hosts", patterns=True)
        _check_entries(self.private, "remote_private_hosts", patterns=False)

    def check(self, address: Address) -> None:
        """Raises `remote_refused` for an address whose host and port are not allowed."""
        if self.is_private(address.origin) or any(_fits(entry, address) for entry in self.allowed):
            return
        named = address.host if address.port == HTTPS_PORT else f"{address.host}:{address.port}"
        if not self.allowed and not self.private:
            raise _refused(
                address.shown, "is a remote image, and no host is allowed", f"Allow its host: T2S_REMOTE_HOSTS={named}"
            )
        raise _refused(
            address.shown, f"is on {named}, which is not among the allowed hosts", "Add it to T2S_REMOTE_HOSTS"
        )

    def is_private(self, origin: tuple[str, int]) -> bool:
        """Whether host and port may have private addresses."""
        return any(_split(entry) == origin for entry in self.private)


def _fits(entry: str, address: Address) -> bool:
    name, port = _split(entry)
    if port != address.port:
        return False
    return address.host.endswith(name[1:]) if name.startswith("*.") else name == address.host


def _split(entry: str) -> tuple[str, int]:
    host, colon, port = entry.lower().partition(":")
    return host, int(port) if colon else HTTPS_PORT


def _is_host(host: str) -> bool:
    """Whether this is a name, or an IPv4 address in its usual form of four decimal numbers."""
    if len(host) > 253 or not _NAME.fullmatch(host):
        return False
    if not _NUMBER.fullmatch(host.rsplit(".", 1)[-1]):
        return True
    try:
        return str(IPv4Address(host)) == host
    except AddressValueError:
        return False


def _check_entries(entries: Iterable[str], setting: str, *, patterns: bool) -> None:
    for entry in entries:
        host, colon, port = entry.lower().partition(":")
        name = host.removeprefix("*.") if patterns else host
        pattern_of_one_label = host != name and "." not in name
        if not _is_host(name) or pattern_of_one_label or (colon and not re.fullmatch(r"[1-9][0-9]{0,4}", port)):
            raise T2SError(
                "argument_invalid",
                f"the setting {setting} has {one_line(entry, 80)!r}",
                "Write names such as data.example.org"
                + (", *.example.org" if patterns else "")
                + " or maps.example.org:8443",
            )


def _refused(shown: str, why: str, fix: str) -> T2SError:
    return T2SError("remote_refused", f"{shown!r} {why}", fix)
