"""Reads the settings: flags override T2S_* variables, these override a TOML file, this overrides the defaults.

The file is `t2s.toml` in the working folder, or the file in T2S_CONFIG. Every setting has one name in all three places:
`--prompter`, `T2S_PROMPTER`, `prompter = "..."`.
"""

import json
import os
import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from t2s_agent.errors import T2SError
from t2s_agent.text import one_line

_TILES = re.compile(
    r"https://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?/(?=\S*\{z\})(?=\S*\{x\})(?=\S*\{y\})[A-Za-z0-9./{}_~%?&=@:+-]*"
)
DEFAULT_STORE = Path.home() / ".local" / "share" / "t2s-agent" / "results"


class Settings(BaseSettings):
    """All settings of a user. Other values are constants, with a reason, where they are used."""

    model_config = SettingsConfigDict(env_prefix="T2S_", extra="forbid", frozen=True)

    roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        (),
        description="folders from which images may be opened; empty: the folder of the named image, and on "
        "a server only the demo scene",
    )
    prompter: str = Field(
        "nano", description="model that answers the question: nano, a hub name, a folder, URL#model, scripted:FILE"
    )
    segmenter: str = Field(
        "nano", description="model that draws the masks: nano, a hub name, a folder, a .pth checkpoint, box"
    )
    style: str = Field(
        "box_2_points", description="the form of prompts that the prompter writes: one of the prompt styles"
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    dtype: str = Field("auto", description="auto, float32, bfloat16, float16")
    max_size: int = Field(1024, ge=32, le=8192, description="longer side of the picture for the models, in pixels")
    max_windows: int = Field(
        256,
        ge=1,
        description="windows of a large scene that one question looks at; the result says what was not reached",
    )
    sizes_file: Path | None = Field(
        None,
        description="TOML file with your entries about sizes of objects, read before the package's table; they choose the resolution of windows",
    )
    samples: int = Field(
        1,
        ge=1,
        le=64,
        description="number of answers; several are sampled at random, and their agreement is a score of each object",
    )
    temperature: float = Field(
        1.0, gt=0, le=10, description="temperature of several samples; a single answer is the most likely one"
    )
    seed: int = Field(0, ge=0, description="random seed of several samples")
    plus_minus: Literal["calibrated", "pixels"] = Field(
        "calibrated",
        description="by the calibration.json in the folder of the models, where there is one for them (calibrated), or of pixels only "
        "(pixels)",
    )
    max_new_tokens: int = Field(2048, ge=16, le=65_536, description="longest answer of a prompter, in tokens")
    endpoint_frame: Literal[
        "auto",
        "absolute",
        "square",
        "relative",
        "relative_yx",
        "relative_999",
        "unit",
        "unit_yx",
        "percent",
        "bins_1000",
        "bins_1024_yx",
    ] = Field(
        "auto",
        description="coordinates that a served model writes: by its name (auto), pixels of the picture (absolute), of an 840 px "
        "square (square), 0 to 1000 (relative), 0 to 1 (unit), 0 to 100 (percent); with _yx y comes first",
    )
    frames_file: Path | None = Field(
        None,
        description="TOML file with your entries about the coordinates of served models, read before the package's table",
    )
    endpoint_timeout_s: float = Field(120.0, gt=0, description="longest wait for one answer of a served model")
    embedding_bytes: int = Field(512 * 2**20, ge=0, description="memory for a segmenter's embeddings, in bytes")
    store: Path = Field(DEFAULT_STORE, description="folder of results")
    store_max_bytes: int = Field(
        10 * 2**30, ge=2**20, description="above this many bytes the oldest results are deleted"
    )
    store_max_age_days: float = Field(365.0, gt=0, description="results older than this are deleted")
    max_pixels: int = Field(50_000 * 50_000, ge=1, description="pixels of a scene; a larger one is refused")
    read_seconds: float = Field(60.0, gt=0, description="longest time for one read of a scene")
    sensor: str = Field(
        "",
        description="sensor of the images, by its id in the table of sensors; empty: recognised where the image says",
    )
    sensors_file: Path | None = Field(
        None, description="TOML file with your entries about sensors, read before the package's table"
    )
    height_m: float | None = Field(
        None,
        ge=-1_000,
        le=10_000,
        description="height of the ground in metres above the WGS 84 ellipsoid, for images that have only a camera model (RPC)",
    )
    trust_sidecars: bool = Field(
        False,
        description="read world file, .prj, .aux.xml, .ovr and .msk beside an image: only for your own files, never on a server",
    )

    # remote images
    remote_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="hosts from which images may be fetched by https: data.example.org, *.example.org, HOST:PORT; empty: none",
    )
    remote_private_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="HOST:PORT of servers of your own, which may have private addresses: localhost:8443"
    )
    object_buckets: dict[str, dict[str, str | bool]] = Field(
        {},
        description='buckets from which images may be fetched, with options: {"s3://NAME": {"region": "eu-central-1"}}; empty: none',
    )
    remote_ca_file: Path | None = Field(
        None, description="file with certificates (PEM) that are accepted besides the usual ones"
    )
    remote_whole_bytes: int = Field(
        256 * 2**20,
        ge=0,
        description="largest remote file that is fetched whole, where its blocks cannot be fetched alone",
    )
    remote_cache_bytes: int = Field(
        2**30, ge=2**20, description="disk space for the fetched parts of one remote image, in bytes"
    )
    remote_at_once: int = Field(
        4, ge=1, le=16, description="requests for parts of one remote image that are under way together"
    )
    remote_seconds: float = Field(30.0, gt=0, description="longest wait for one request to a server of images")

    # the server
    host: str = Field("127.0.0.1", description="address of the HTTP server; other addresses than loopback need tokens")
    port: int = Field(8321, ge=0, le=65535, description="port of the HTTP server; 0: any free one")
    tokens: Path | None = Field(
        None, description="file of 'name token' lines (or 'name sha256:HEX'), read again when it changes"
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="names by which others reach the HTTP server, besides loopback's: maps.example.org"
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="web origins that may call the HTTP server, besides its own: https://maps.example.org"
    )
    max_body_bytes: int = Field(2**20, ge=1024, description="largest request that the HTTP server reads")
    rate_per_minute: int = Field(600, ge=0, description="HTTP requests a minute of one credential; 0: no limit")
    upload_bytes: int = Field(
        0, ge=0, description="largest image that may be sent to the HTTP server from its page, in bytes; 0: none may"
    )
    upload_max_age_days: float = Field(7.0, gt=0, description="images sent to the server are deleted after this time")
    basemap_url: str = Field(
        "",
        description="tiles of a map under the scene on the page: https://HOST/{z}/{x}/{y}.png, Web Mercator; browsers then load "
        "from that host; empty: none",
    )
    basemap_attribution: str = Field("", max_length=300, description="whose map that is, shown beside it")
    workers: int = Field(1, ge=1, le=64, description="number of calls that run at the same time")
    max_waiting: int = Field(32, ge=1, description="calls of one credential that may wait; more are refused")
    answer_within_s: float = Field(
        45.0,
        gt=0,
        description="a call that takes longer is answered 'running'; the same call again joins the same work",
    )
    answer_unwatched_within_s: float = Field(
        4.0,
        gt=0,
        description="the same for a client that asks for no progress, of which some give up after 5 s; doubled with each repeated call",
    )
    preload: bool = Field(True, description="load the models in the background once the server has started")
    previews: bool = Field(True, description="let answers carry a small picture")
    preview_size: int = Field(512, ge=64, le=2048, description="longer side of that picture, in pixels")
    structured_output: bool = Field(True, description="answers also as structured content, with a schema")
    resource_links: Literal["auto", "always", "never"] = Field(
        "never",  # some clients lose the whole answer over one: docs/how-to/clients.md names them
        description="links to a result's files in answers; auto: where not all regions fit in the answer",
    )

    @field_validator("roots", mode="before")
    @classmethod
    def _folders(cls, value: Any) -> Any:
        """T2S_ROOTS: one folder, several as in PATH, or a JSON list."""
        return _parse_list(value, os.pathsep)

    @field_validator("roots", "store", "tokens", "sensors_file", "sizes_file", "remote_ca_file")
    @classmethod
    def _expand_home(cls, value: Any) -> Any:
        """Expands `~`: no shell expands it in a file or after `--out=`."""
        if isinstance(value, tuple):
            return tuple(path.expanduser() for path in value)
        return value and value.expanduser()

    @field_validator("basemap_url")
    @classmethod
    def _tiles(cls, value: str) -> str:
        """An https address of tiles, which may stand in a policy: one plain host, no user name."""
        if value and not _TILES.fullmatch(value):
            raise ValueError("give https://HOST/PATH with {z}, {x} and {y}")
        return value

    @field_validator("allowed_hosts", "allowed_origins", "remote_hosts", "remote_private_hosts", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """One name, several with commas, or a JSON list."""
        return _parse_list(value, ",")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (pydantic's signature; we read no .env)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (pydantic's signature)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = Path(os.environ.get("T2S_CONFIG", "t2s.toml"))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=file)


def _parse_list(value: Any, separator: str) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)  # a ValueError here becomes the setting's error
    return [part.strip() for part in value.split(separator) if part.strip()]


_OTHER_VARIABLES = ("T2S_CONFIG", "T2S_API_KEY")  # read elsewhere


def unknown_variables() -> list[str]:
    """A sentence for each unknown T2S_* variable of the environment, with similar names."""
    known = [*_OTHER_VARIABLES, *(f"T2S_{name.upper()}" for name in Settings.model_fields)]
    sentences = []
    for name in sorted(os.environ):
        if name.upper().startswith("T2S_") and name.upper() not in known:
            near = get_close_matches(name.upper(), known, 1, 0.75)
            sentences.append(
                f"the variable {one_line(name, 60)} is unknown" + (f": did you mean {near[0]}?" if near else "")
            )
    return sentences


def load_settings(**flags: Any) -> Settings:
    """The settings, with `flags` first; a flag that is None is ignored.

    Raises `argument_invalid` for an invalid value, with the name of the setting, and for an unknown setting, with similar names.
    """
    named = os.environ.get("T2S_CONFIG")
    if named and not Path(named).is_file():
        raise T2SError(
            "argument_invalid", f"T2S_CONFIG names {named!r}, which is not a file", "Unset it or create the file"
        )
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except tomllib.TOMLDecodeError as error:
        raise T2SError(
            "argument_invalid",
            f"{named or 't2s.toml'} is not TOML: {error}",
            "Correct the file, or name another with T2S_CONFIG",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise T2SError(
            "argument_invalid",
            f"{named or 't2s.toml'} cannot be read ({getattr(error, 'strerror', '') or 'it is not UTF-8'})",
            "Correct the file, or name another with T2S_CONFIG",
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "settings"
        if first["type"] == "extra_forbidden":
            near = get_close_matches(name, Settings.model_fields, 2)
            fix = f"Did you mean {' or '.join(near)}?" if near else "`t2s-agent doctor` lists all settings"
            where = named or "t2s.toml"
            raise T2SError(
                "argument_invalid", f"there is no setting {one_line(name, 60)!r} (in {where})", fix
            ) from error
        raise T2SError(
            "argument_invalid",
            f"the setting {name} = {first.get('input')!r} is refused: {first['msg']}",
            f"Correct T2S_{name.upper()}, {name} in the TOML file, or the option of that name",
        ) from error
