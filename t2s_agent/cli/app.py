"""Defines the command `t2s-agent`: subcommands, their options, and exit codes.

Exit codes: 0 done, also if nothing was found; 2 invalid input; 3 a model failed; 130 interrupted; 1 a bug in this program.
"""

import errno
import logging
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

from t2s_agent.api.naming import add_place_hints, image_named, is_result, result_id, stretch_text
from t2s_agent.cli import listing, words
from t2s_agent.cli.batch import batch
from t2s_agent.cli.change import change
from t2s_agent.cli.files import OUT_HELP, checked_out, copied
from t2s_agent.cli.items import items
from t2s_agent.cli.serve import serve
from t2s_agent.cli.show import Screen
from t2s_agent.errors import T2SError
from t2s_agent.settings import load_settings, unknown_variables

# ruff: noqa: ARG001 (options with a callback are handled there)
MODEL_CODES = {"model_unavailable", "model_failed", "endpoint_failed", "answer_unparsable"}
OPERATIONS = ("union", "intersection", "difference")
_COMPLETION = ("--show-completion", "--install-completion")
# typer accepts the name of a shell only if it does not detect one; this variable is the only switch for that (typer 0.29)
_NO_DETECTION = "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"
_VERSIONS = ("torch", "transformers", "rasterio", "pyproj")  # libraries whose versions can change numbers

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Ask a question about an overhead image; get georeferenced, measured regions.",
)


def _set_verbose(value: bool) -> bool:
    """Turns on `-v` for the whole command; the option may come before or after the command's name."""
    if value and not Screen.verbose:
        Screen.verbose = True
        logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(name)s: %(message)s")
        Screen(as_json=False).note(_versions())
    return value


Sensor = Annotated[
    str | None, typer.Option(help="the image's sensor, if it is not recognised, such as planetscope-4-sr")
]
HeightM = Annotated[
    float | None,
    typer.Option(
        help="height of the ground above the WGS 84 ellipsoid, for an image that has only a camera model (RPC)"
    ),
]
TrustSidecars = Annotated[
    bool | None,
    typer.Option(
        "--trust-sidecars",
        help="read world file, .prj, .aux.xml, .ovr and .msk beside the image: for files of your own",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="print the record as JSON instead of text")]
Out = Annotated[Path | None, typer.Option(help=OUT_HELP)]
Prompter = Annotated[str | None, typer.Option(help="nano, a hub name, a folder, URL#model, scripted:FILE")]
Segmenter = Annotated[str | None, typer.Option(help="nano, a hub name, a folder, a .pth file, box")]
Samples = Annotated[
    int | None, typer.Option(help="ask this many times, and score regions by how far the answers agree")
]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda, mps")]
Store = Annotated[Path | None, typer.Option(help="folder of results")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", callback=_set_verbose, help="also print versions and the time of each step")
]
Bbox = Annotated[str | None, typer.Option(metavar="W,S,E,N", help="only this box: west, south, east, north in degrees")]
BboxCrs = Annotated[
    str | None,
    typer.Option(metavar="CODE", help="CRS of the box: EPSG:32631, image (the image's own) or pixels"),
]
SortBy = Annotated[
    str,
    typer.Option(metavar="MEASURE", help="area, length, width, perimeter, compactness, score, nearest, lon, lat ..."),
]
Descending = Annotated[bool, typer.Option("--descending", help="the largest first")]
First = Annotated[int, typer.Option(help="only the first N in that order; 0: all")]
ResultId = Annotated[str, typer.Argument(metavar="RESULT", help="an id, the beginning of one, or `last`")]


def run() -> None:
    """Runs a command and turns errors into messages and exit codes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot print ± still shows the numbers
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller: discard the output
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 (open to the end)
    screen = Screen(as_json=False)
    Screen.verbose = False
    if len(sys.argv) == 3 and sys.argv[1] in _COMPLETION:
        os.environ.setdefault(_NO_DETECTION, "1")
    try:
        try:
            app(prog_name="t2s-agent")
        except SystemExit as ended:
            if isinstance(ended.__context__, BrokenPipeError):  # typer exits with code 1 and no message
                raise ended.__context__ from None
            if not ended.code:
                sys.stdout.flush()
            raise
    except T2SError as error:
        screen.note(str(error), "red")
        sys.exit(3 if error.code in MODEL_CODES else 2)
    except BrokenPipeError:  # the reader of the output, such as `head`, has closed it
        _close_quietly()
        sys.exit(0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO) or error.filename is not None:
            raise
        _close_quietly()
        screen.note(f"output_unwritable: standard output cannot be written: {error.strerror}. Make room.", "red")
        sys.exit(2)
    except KeyboardInterrupt:
        screen.note("interrupted; nothing was left half-written", "")
        sys.exit(130)


def _close_quietly() -> None:
    """Redirects standard output to the null device, so that Python's flush at exit does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"t2s-agent {_version('t2s-agent')}")
        raise typer.Exit


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _versions() -> str:
    others = ", ".join(f"{name} {_version(name)}" for name in _VERSIONS)
    return f"t2s-agent {_version('t2s-agent')}, Python {platform.python_version()}, {others}"


@app.callback()
def begin(
    shown_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and exit")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Ask a question about an overhead image; get georeferenced, measured regions."""
    screen = Screen(as_json=False)
    for warning in unknown_variables():
        screen.note(f"note: {warning}", "yellow")


def _engine(**flags: Any) -> Any:
    from t2s_agent.pipeline import Engine

    return Engine.open(load_settings(**flags))


@app.command(cls=words.MultiValueCommand)
def segment(
    image: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE", help="a GeoTIFF, JPEG 2000, PNG, JPEG or WebP file; its https address; or a STAC item"
        ),
    ],
    query: Annotated[str, typer.Argument(metavar="QUERY", help="what to find, in words")],
    bbox: Bbox = None,
    bbox_crs: BboxCrs = None,
    bands: Annotated[
        str | None,
        typer.Option(
            help="bands to show: numbers or names such as 4,3,2 or nir,red,green; or true, false, swir, pan, sar"
        ),
    ] = None,
    stretch: Annotated[
        str | None,
        typer.Option(
            metavar="LOW:HIGH",
            help="stored values shown black and white: 200:3000, or three with commas for the bands shown; or of a result (its id, last), "
            "or of another image; default: 2 to 98 % of the values of the whole image",
        ),
    ] = None,
    sensor: Sensor = None,
    height_m: HeightM = None,
    union: Annotated[bool, typer.Option("--union", help="one region of all instances")] = False,
    min_area_m2: Annotated[
        float, typer.Option(help="leave out smaller regions (square pixels where the image has no place on Earth)")
    ] = 0.0,
    mode: Annotated[
        str,
        typer.Option(
            metavar="MODE",
            help="overview: look once at the whole; full: at windows in full resolution; auto: full where an overview would be too coarse",
        ),
    ] = "auto",
    gsd_m: Annotated[
        str | None,
        typer.Option(
            metavar="METRES",
            help="metres a pixel of the windows, or native: the image's own; default: native, coarser in mode auto where all that is asked for is large",
        ),
    ] = None,
    max_windows: Annotated[int | None, typer.Option(help="look at no more windows than this")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="stop looking at windows after this time")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="stop looking at windows after so many tokens of answers")
    ] = None,
    max_size: Annotated[
        int | None, typer.Option(help="longer side in pixels of the picture, or of a window, that models see")
    ] = None,
    prompter: Prompter = None,
    segmenter: Segmenter = None,
    style: Annotated[
        str | None,
        typer.Option(help="prompts to ask for: box_2_points, box_4_points, box_2_points_2_negative, box or points"),
    ] = None,
    samples: Samples = None,
    seed: Annotated[int | None, typer.Option(help="of several samples")] = None,
    device: Device = None,
    trust_sidecars: TrustSidecars = None,
    store: Store = None,
    out: Out = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Answer QUERY about IMAGE with regions on the ground."""
    from t2s_agent.pipeline import segment as work

    out = checked_out(out)
    where = words.box(bbox, "--bbox")
    _require_box(where, bbox_crs)
    screen = Screen(as_json)
    engine = _engine(
        prompter=prompter,
        segmenter=segmenter,
        device=device,
        store=store,
        style=style,
        samples=samples,
        seed=seed,
        max_size=max_size,
        sensor=sensor,
        height_m=height_m,
        trust_sidecars=trust_sidecars,
    )
    image = image_named(image, engine.settings.roots)
    places = [where] if where else []
    with screen.progress() as progress, add_place_hints(engine, image, places, option="--bbox-crs", crs=bbox_crs):
        result = work(
            engine,
            image,
            query,
            bbox=where,
            bbox_crs=bbox_crs,
            bands=bands,
            stretch=stretch_text(engine, stretch) if stretch else None,
            merge="union" if union else "instances",
            min_area_m2=min_area_m2,
            mode=mode,  # type: ignore[arg-type]  # any text of the user's; the pipeline refuses what it does not know
            gsd_m=gsd_m,
            max_windows=max_windows,
            max_seconds=max_seconds,
            max_tokens=max_tokens,
            progress=progress,
        )
    screen.result(result, engine.store.folder / result.id)
    screen.note(copied(result, engine.store.folder / result.id, out))


def _require_box(box: words.Box | None, crs: str | None) -> None:
    if crs and not box:
        raise T2SError("argument_invalid", f"--bbox-crs {crs} without a box", "Add --bbox XMIN,YMIN,XMAX,YMAX")


@app.command(cls=words.MultiValueCommand)
def refine(
    result: ResultId,
    instruction: Annotated[str, typer.Option(help="what to look for now, in words")] = "",
    point: Annotated[
        list[str] | None, typer.Option(metavar="LON,LAT", help="a point that belongs to a region; repeatable")
    ] = None,
    not_point: Annotated[
        list[str] | None, typer.Option(metavar="LON,LAT", help="a point that does not; repeatable")
    ] = None,
    box: Annotated[str | None, typer.Option(metavar="W,S,E,N", help="add the object in this box, in degrees")] = None,
    crs: Annotated[
        str | None,
        typer.Option("--crs", "--bbox-crs", metavar="CODE", help="CRS of points and box: EPSG:32631, image or pixels"),
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option(metavar="IDS", help="keep only these regions: 1,2,3 or 1-3; repeatable")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option(metavar="IDS", help="drop these regions; repeatable")] = None,
    other: Annotated[
        str, typer.Option("--with", help="another result, or the same one for distances between neighbours")
    ] = "",
    operation: Annotated[str | None, typer.Option(help="union, intersection or difference with that result")] = None,
    within_m: Annotated[
        float | None,
        typer.Option(
            help="keep regions within this distance of that result, in metres (pixels if the image has no georeference)"
        ),
    ] = None,
    beyond_m: Annotated[
        float | None, typer.Option(help="keep regions farther than this distance from that result, in metres")
    ] = None,
    min_area_m2: Annotated[
        float, typer.Option(help="leave out smaller regions (square pixels where the image has no place on Earth)")
    ] = 0.0,
    max_area_m2: Annotated[float | None, typer.Option(help="leave out larger regions")] = None,
    min_length_m: Annotated[float, typer.Option(help="leave out shorter regions")] = 0.0,
    max_length_m: Annotated[float | None, typer.Option(help="leave out longer regions")] = None,
    smooth_m: Annotated[
        float,
        typer.Option(help="smooth outlines by this radius in metres (pixels if the image has no georeference)"),
    ] = 0.0,
    min_probability: Annotated[
        float, typer.Option(help="leave out regions less likely than this to be what was asked for, 0 to 1")
    ] = 0.0,
    sort_by: SortBy = "",
    descending: Descending = False,
    first: First = 0,
    pixels: Annotated[bool, typer.Option("--pixels", help="points and box are pixels of the image: x, y")] = False,
    prompter: Prompter = None,
    segmenter: Segmenter = None,
    samples: Samples = None,
    device: Device = None,
    store: Store = None,
    out: Out = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Make a new result from RESULT: correct it by points, filter it, combine it, or ask the model again."""
    from t2s_agent.api.functions import in_pixels
    from t2s_agent.pipeline import Refinement
    from t2s_agent.pipeline import refine as work

    out = checked_out(out)
    if operation not in (None, *OPERATIONS):
        raise T2SError("argument_invalid", f"--operation {operation}", f"Choose from {', '.join(OPERATIONS)}")
    positive, negative = words.points(point, "--point"), words.points(not_point, "--not-point")
    around = words.box(box, "--box")
    places = [*positive, *negative, *([around] if around else [])]
    if crs and (pixels or not places):
        why = "together with --pixels" if pixels else "without points or a box"
        raise T2SError("argument_invalid", f"--crs {crs} {why}", "Leave one of them out" if pixels else "Leave it out")
    kept, dropped = words.ids(keep, "--keep"), words.ids(drop, "--drop")
    screen = Screen(as_json)
    engine = _engine(prompter=prompter, segmenter=segmenter, samples=samples, device=device, store=store)
    parent = engine.store.load(result_id(engine.store, result))
    if crs:
        positive, negative, around = in_pixels(engine, parent, crs, positive, negative, around)
    how = Refinement(
        instruction=instruction,
        positive=positive,
        negative=negative,
        box=around,
        keep=kept,
        drop=dropped,
        other=result_id(engine.store, other) if other else "",
        operation=operation,  # type: ignore[arg-type]  # one of OPERATIONS, as checked above
        within_m=within_m,
        beyond_m=beyond_m,
        min_area_m2=min_area_m2,
        max_area_m2=max_area_m2,
        min_length_m=min_length_m,
        max_length_m=max_length_m,
        min_probability=min_probability,
        smooth_m=smooth_m,
        sort_by=sort_by,
        descending=descending,
        first=first,
        pixels=pixels or bool(crs),
    )
    hints = () if pixels else places
    with screen.progress() as progress, add_place_hints(engine, parent.scene.path, hints, option="--crs", crs=crs):
        made = work(engine, parent.id, how, progress=progress)
    screen.result(made, engine.store.folder / made.id)
    screen.note(copied(made, engine.store.folder / made.id, out))


@app.command(cls=words.MultiValueCommand)
def describe(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="a result's id, or `last`, or an image")],
    region: Annotated[int, typer.Option(help="one region of the result")] = 0,
    bbox: Bbox = None,
    bbox_crs: BboxCrs = None,
    question: Annotated[str, typer.Option(help="also ask the prompter this about the picture")] = "",
    bands: Annotated[bool, typer.Option("--bands", help="also statistics of the bands")] = False,
    sensor: Sensor = None,
    height_m: HeightM = None,
    other: Annotated[
        str, typer.Option("--with", help="another result, or the same one: the nearest region there of each region")
    ] = "",
    pairs_within_m: Annotated[
        float | None, typer.Option(help="count the pairs of regions that are at most this distance apart, in metres")
    ] = None,
    columns: Annotated[
        str, typer.Option(metavar="NAMES", help="list the regions with these columns: length,width,orientation ...")
    ] = "",
    sort_by: SortBy = "",
    descending: Descending = False,
    first: First = 0,
    prompter: Prompter = None,
    device: Device = None,
    trust_sidecars: TrustSidecars = None,
    store: Store = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Print measurements of a result, a region or an image, and what a model claims about it."""
    from t2s_agent.pipeline import describe as work

    where = words.box(bbox, "--bbox")
    _require_box(where, bbox_crs)
    screen = Screen(as_json)
    engine = _engine(
        prompter=prompter, device=device, store=store, sensor=sensor, height_m=height_m, trust_sidecars=trust_sidecars
    )
    id_ = result_id(engine.store, subject) if is_result(subject) else ""
    image = "" if id_ else image_named(subject, engine.settings.roots)
    places = [where] if where else []
    with screen.progress() as progress, add_place_hints(engine, image, places, option="--bbox-crs", crs=bbox_crs):
        description = work(
            engine,
            result_id=id_,
            image=image,
            region_id=region,
            bbox=where,
            bbox_crs=bbox_crs,
            question=question,
            bands=bands,
            other=result_id(engine.store, other) if other else "",
            pairs_within_m=pairs_within_m,
            columns=tuple(name for each in columns.split(",") if (name := each.strip())),
            sort_by=sort_by,
            descending=descending,
            first=first,
            progress=progress,
        )
    screen.description(description)


@app.command()
def replay(
    result: ResultId, device: Device = None, store: Store = None, as_json: Json = False, verbose: Verbose = False
) -> None:
    """Repeat RESULT from its record and name the first step that differs."""
    from t2s_agent.pipeline import replay as work

    screen = Screen(as_json)
    engine = _engine(device=device, store=store)
    with screen.progress() as progress:
        done = work(engine, result_id(engine.store, result), progress=progress)
    screen.replayed(done)


app.add_typer(listing.app, name="results")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="folder for the picture, polygons and mask")] = Path("demo-out"),
    store: Store = None,
    verbose: Verbose = False,
) -> None:
    """Segment the scene that comes with the package, with the models that come with it."""
    from t2s_agent.cli.demo import run_demo

    run_demo(out, store)


@app.command()
def doctor(
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL#MODEL", help="measure in which coordinates this served model writes")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what is installed, which models can be loaded, and the machine's hardware."""
    from t2s_agent.cli.doctor import check_endpoint, check_installation

    settings = load_settings()
    Screen(as_json).report_checks(
        check_installation(settings) if endpoint is None else check_endpoint(settings, endpoint)
    )


app.command(cls=words.MultiValueCommand)(change)
app.command(cls=words.MultiValueCommand)(batch)
app.command()(items)
app.command()(serve)
