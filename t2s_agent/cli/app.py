"""`t2s-agent`: commands, their options, and exit codes.

Exit 0: done, also where nothing was found. 2: the input is at fault. 3: a model failed. 1: a bug of ours.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from t2s_agent.cli.serve import serve
from t2s_agent.cli.show import Screen
from t2s_agent.errors import T2SError
from t2s_agent.settings import load_settings

MODEL_CODES = {"model_unavailable", "model_failed", "endpoint_failed", "answer_unparsable"}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Ask a question about an overhead image; get georeferenced, measured regions.",
)

Json = Annotated[bool, typer.Option("--json", help="print the record as JSON instead of text")]
Out = Annotated[Path | None, typer.Option(help="copy results here: a folder, or a file .geojson, .tif or .png")]
Prompter = Annotated[str | None, typer.Option(help="nano, a hub name, a folder, URL#model, scripted:FILE")]
Segmenter = Annotated[str | None, typer.Option(help="nano, a hub name, a folder, a .pth file, box")]
Samples = Annotated[int | None, typer.Option(help="ask so often, and score regions by how far the answers agree")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda, mps")]
Store = Annotated[Path | None, typer.Option(help="folder of results")]
Bbox = Annotated[
    tuple[float, float, float, float] | None, typer.Option(metavar="W S E N", help="only this box, in degrees")
]


def run() -> None:
    """Runs a command and turns errors into messages and exit codes."""
    try:
        app()
    except T2SError as error:
        typer.secho(str(error), fg="red", err=True)
        sys.exit(3 if error.code in MODEL_CODES else 2)
    except KeyboardInterrupt:
        typer.echo("interrupted; nothing was left half-written", err=True)
        sys.exit(130)


def _shop(**flags: Any) -> Any:
    from t2s_agent.pipeline import Workshop

    return Workshop.open(load_settings(**flags))


@app.command()
def segment(
    image: Path,
    query: str,
    bbox: Bbox = None,
    bands: Annotated[str | None, typer.Option(help="bands shown as red, green and blue, such as 4,3,2")] = None,
    union: Annotated[bool, typer.Option("--union", help="one region of all instances")] = False,
    min_area_m2: Annotated[float, typer.Option(help="leave out smaller regions")] = 0.0,
    max_size: Annotated[int | None, typer.Option(help="longer side in pixels of what the models see")] = None,
    prompter: Prompter = None,
    segmenter: Segmenter = None,
    style: Annotated[
        str | None,
        typer.Option(help="what is asked for: box_2_points, box_4_points, box_2_points_2_negative, box or points"),
    ] = None,
    samples: Samples = None,
    seed: Annotated[int | None, typer.Option(help="of several samples")] = None,
    device: Device = None,
    store: Store = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Answer QUERY about IMAGE with regions on the ground."""
    from t2s_agent.pipeline import segment as work

    _checked_out(out)
    screen = Screen(as_json)
    shop = _shop(
        prompter=prompter,
        segmenter=segmenter,
        device=device,
        store=store,
        style=style,
        samples=samples,
        seed=seed,
        max_size=max_size,
    )
    with screen.progress() as progress:
        result = work(
            shop,
            image,
            query,
            bbox=bbox,
            bands=bands,
            merge="union" if union else "instances",
            min_area_m2=min_area_m2,
            progress=progress,
        )
    screen.result(result, shop.store.folder / result.id)
    _copied(shop.store.folder / result.id, out, screen)


def _points(values: list[str], name: str) -> tuple[tuple[float, float], ...]:
    points = []
    for value in values:
        parts = value.replace(",", " ").split()
        try:
            x, y = (float(part) for part in parts)
        except ValueError as error:
            raise T2SError("argument_invalid", f"--{name} {value!r}", "Write it as 4.3512,51.8702 (lon,lat)") from error
        points.append((x, y))
    return tuple(points)


@app.command()
def refine(
    result: str,
    instruction: Annotated[str, typer.Option(help="what to look for now, in words")] = "",
    point: Annotated[list[str] | None, typer.Option(help="lon,lat that belongs to a region; repeatable")] = None,
    not_point: Annotated[list[str] | None, typer.Option(help="lon,lat that does not; repeatable")] = None,
    box: Annotated[
        tuple[float, float, float, float] | None, typer.Option(metavar="W S E N", help="add the object in this box")
    ] = None,
    keep: Annotated[list[int] | None, typer.Option(help="keep only these region ids; repeatable")] = None,
    drop: Annotated[list[int] | None, typer.Option(help="drop these region ids; repeatable")] = None,
    other: Annotated[str, typer.Option("--with", help="another result")] = "",
    operation: Annotated[str | None, typer.Option(help="union, intersection or difference with that result")] = None,
    within_m: Annotated[float | None, typer.Option(help="keep what lies within so many metres of that result")] = None,
    min_area_m2: Annotated[float, typer.Option(help="leave out smaller regions")] = 0.0,
    smooth_m: Annotated[float, typer.Option(help="smooth outlines by this radius")] = 0.0,
    pixels: Annotated[bool, typer.Option("--pixels", help="points and box are pixels of the image: x, y")] = False,
    prompter: Prompter = None,
    segmenter: Segmenter = None,
    samples: Samples = None,
    device: Device = None,
    store: Store = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Make a new result from RESULT: corrected by points, filtered, combined, or reasoned over again."""
    from t2s_agent.pipeline import Refinement
    from t2s_agent.pipeline import refine as work

    _checked_out(out)
    if operation not in (None, "union", "intersection", "difference"):
        raise T2SError("argument_invalid", f"--operation {operation}", "Choose from union, intersection, difference")
    how = Refinement(
        instruction=instruction,
        positive=_points(point or [], "point"),
        negative=_points(not_point or [], "not-point"),
        box=box,
        keep=tuple(keep or ()),
        drop=tuple(drop or ()),
        other=other,
        operation=operation,  # type: ignore[arg-type]
        within_m=within_m,
        min_area_m2=min_area_m2,
        smooth_m=smooth_m,
        pixels=pixels,
    )
    screen = Screen(as_json)
    shop = _shop(prompter=prompter, segmenter=segmenter, samples=samples, device=device, store=store)
    with screen.progress() as progress:
        made = work(shop, result, how, progress=progress)
    screen.result(made, shop.store.folder / made.id)
    _copied(shop.store.folder / made.id, out, screen)


@app.command()
def describe(
    subject: Annotated[str, typer.Argument(help="a result's id, or an image")],
    region: Annotated[int, typer.Option(help="one region of the result")] = 0,
    bbox: Bbox = None,
    question: Annotated[str, typer.Option(help="also ask the prompter this about the picture")] = "",
    prompter: Prompter = None,
    device: Device = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Say what is measured of a result, a region or an image, and what a model claims about it."""
    from t2s_agent.pipeline import describe as work

    screen = Screen(as_json)
    shop = _shop(prompter=prompter, device=device, store=store)
    is_result = subject.startswith("r_") and not Path(subject).exists()
    with screen.progress() as progress:
        said = work(
            shop,
            result_id=subject if is_result else "",
            image="" if is_result else subject,
            region_id=region,
            bbox=bbox,
            question=question,
            progress=progress,
        )
    screen.description(said)


@app.command()
def replay(result: str, device: Device = None, store: Store = None, as_json: Json = False) -> None:
    """Do RESULT again from its record and name the first step that differs."""
    from t2s_agent.pipeline import replay as work

    screen = Screen(as_json)
    with screen.progress() as progress:
        done = work(_shop(device=device, store=store), result, progress=progress)
    screen.replayed(done)


@app.command()
def results(store: Store = None, as_json: Json = False) -> None:
    """List the results in the store, newest first."""
    from t2s_agent.results.store import ResultStore

    settings = load_settings(store=store)
    listed, damaged = ResultStore(settings.store).listed()
    Screen(as_json).listed(listed, damaged)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="folder for the picture, polygons and mask")] = Path("demo-out"),
) -> None:
    """Segment the scene that comes with the package, with the models that come with it."""
    from t2s_agent.cli.demo import run_demo

    run_demo(out)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what is installed, which models can be loaded, and what this machine offers."""
    from t2s_agent.cli.doctor import examine

    Screen(as_json).examined(examine(load_settings()))


app.command()(serve)


_FILES = {
    ".geojson": "regions.geojson",
    ".json": "regions.geojson",
    ".tif": "mask.tif",
    ".tiff": "mask.tif",
    ".png": "preview.png",
}


def _checked_out(out: Path | None) -> None:
    """Before the work: is it clear what is wanted?"""
    if out is not None and out.suffix and out.suffix.lower() not in _FILES and not out.is_dir():
        raise T2SError("argument_invalid", f"--out {out}", f"Name a folder, or a file that ends in {', '.join(_FILES)}")


def _copied(folder: Path, out: Path | None, screen: Screen) -> None:
    """Copies a result's files to where the user wants them, each whole or not at all."""
    if out is None:
        return
    single = _FILES.get(out.suffix.lower())
    wanted = {out: folder / single} if single else {out / file.name: file for file in folder.iterdir()}
    try:
        for target, file in wanted.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{target.name}.{os.getpid()}.part")
            try:
                shutil.copyfile(file, part)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise T2SError(
            "output_unwritable", f"{out} cannot be written ({error.strerror})", f"The result itself is kept in {folder}"
        ) from error
    screen.note(f"copied to {out}")
