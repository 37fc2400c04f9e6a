"""The address of an object in S3, Google Cloud Storage or Azure: how it is read, and which buckets a user allowed.

Its bytes are fetched by https as those of any remote image, at an address that `signing` makes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from t2s_agent.errors import T2SError
from t2s_agent.scene.remote.address import without_secrets
from t2s_agent.text import one_line

Options: TypeAlias = Mapping[str, str | bool]
# what a bucket may be configured with; credentials are those of the environment, and never settings
OPTIONS = {
    "s3": {"region", "endpoint", "skip_signature", "virtual_hosted_style_request"},
    "gs": {"skip_signature"},
    "az": {"account_name", "endpoint", "skip_signature"},
}
_FORM = re.compile(r"(s3|gs|az):/{1,2}([^/?#]+)/([^?#]+)", re.IGNORECASE)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_LONGEST = 1_024  # bytes of a key, in all three


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """An object: `scheme` is s3, gs or az, `bucket` the bucket or container, `key` the name of the object in it, as it is."""

    scheme: str
    bucket: str
    key: str

    @property
    def place(self) -> str:
        """Scheme and bucket, as a user allows them."""
        return f"{self.scheme}://{self.bucket}"

    @property
    def shown(self) -> str:
        """The whole address. It holds no secret."""
        return f"{self.place}/{self.key}"


def is_object(text: str) -> bool:
    """Whether an address is that of an object store."""
    return re.match(r"(?:s3|gs|az):/", text, re.IGNORECASE) is not None


def parse_object(text: str) -> ObjectAddress:
    """The parts of an address such as `s3://bucket/folder/a.tif`. Raises `remote_refused` for odd forms."""
    found = _FORM.fullmatch(text)
    key = found[3] if found else ""
    parts = key.split("/")
    odd = not text.isprintable() or len(key.encode("utf-8", "replace")) > _LONGEST or "\\" in key
    if found is None or odd or not _BUCKET.fullmatch(found[2]) or {"", ".", ".."} & set(parts):
        raise T2SError(
            "remote_refused",
            f"{one_line(without_secrets(text), 200)!r} is not the address of an object",
            "Write it as s3://BUCKET/KEY, gs://BUCKET/KEY or az://CONTAINER/KEY, without query",
        )
    return ObjectAddress(found[1].lower(), found[2], key)


@dataclass(frozen=True, slots=True)
class Buckets:
    """The buckets that a user allowed, by `s3://bucket`, each with its options."""

    allowed: Mapping[str, Options] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place, options in self.allowed.items():
            scheme, _, bucket = place.partition("://")
            if scheme not in OPTIONS or not _BUCKET.fullmatch(bucket):
                raise _invalid(f"{one_line(place, 80)!r}", "Write buckets as s3://NAME, gs://NAME or az://CONTAINER")
            if unknown := sorted(set(options) - OPTIONS[scheme]):
                raise _invalid(
                    f"the option {one_line(unknown[0], 40)!r} for {place}",
                    f"Options are {', '.join(sorted(OPTIONS[scheme]))}; credentials belong into the environment (AWS_*, GOOGLE_*, AZURE_*)",
                )

    def options_of(self, address: ObjectAddress) -> Options:
        """The options of an object's bucket. Raises `remote_refused` for one that is not allowed."""
        if address.place in self.allowed:
            return self.allowed[address.place]
        raise T2SError(
            "remote_refused",
            f"{one_line(address.shown, 200)!r} is in an object store, and remote images are opened from allowed buckets only",
            f"Allow it: T2S_OBJECT_BUCKETS='{{\"{address.place}\": {{}}}}', or give a signed https address of the file",
        )


def _invalid(what: str, fix: str) -> T2SError:
    return T2SError("argument_invalid", f"the setting object_buckets has {what}", fix)
