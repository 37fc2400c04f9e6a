"""Defines `t2s-agent batch`: many questions about many scenes, with progress and a summary."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from t2s_agent.cli import words
from t2s_agent.cli.show import Screen, aligned
from t2s_agent.errors import T2SError
from t2s_agent.regions.rounding import with_plus_minus
from t2s_agent.settings import Settings, load_settings
from t2s_agent.text import one_line

if TYPE_CHECKING:
    from t2s_agent.batch import Finished, Summary
    from t2s_agent.batch.job import Job
    from t2s_agent.batch.run import PoolOf
    from t2s_agent.batch.schedule import Progress, Report
    from t2s_agent.batch.summary import ChangeTotal, Total
    from t2s_agent.pipeline import Engine

_TERMINAL_S, _LOG_S = 0.5, 10.0  # between two lines of progress


def _print_summary(out: Path | None) -> None:
    """`--summary DIR`: prints what is in a folder and ends."""
    if out is not None:
        from t2s_agent.batch import summary_of

        _say(Screen(as_json=False), summary_of(out.expanduser()), out)
        raise typer.Exit


def batch(
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help="one question, or a .csv or .jsonl file with id and question")
    ],
    scenes: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENES...",
            help="files, folders, globs, a .txt of paths, a STAC item collection (.json), stac-geoparquet (.parquet)",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="folder for ledger, parts and results; may hold an earlier run")
    ],
    bbox: Annotated[
        str | None,
        typer.Option(metavar="W,S,E,N", help="only scenes that touch this box, in degrees; west > east across 180"),
    ] = None,
    asset: Annotated[str, typer.Option(metavar="NAME", help="of a STAC item: the asset that is the picture")] = "",
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="folder from which paths count in the names of scenes")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0, max=4096, help="processes, each with its own models; 0: this process. Default: 1; with --ray all"
        ),
    ] = None,
    ray: Annotated[
        str,
        typer.Option(
            "--ray", metavar="ADDRESS", help="workers as Ray actors: local, auto, ray://HEAD:10001, HEAD:6379"
        ),
    ] = "",
    pair: Annotated[
        bool,
        typer.Option(
            "--pair",
            help="compare two dates: SCENES are lists (.csv, .jsonl) with before, after and id, or a folder of the earlier and "
            "one of the later date",
        ),
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="do rows again that failed")] = False,
    finish_partly: Annotated[
        bool,
        typer.Option(
            "--finish-partly",
            help="go on with large scenes of which windows failed or were not reached; the limits may be higher than before",
        ),
    ] = False,
    bands: Annotated[str | None, typer.Option(help="bands shown as red, green and blue, such as 4,3,2")] = None,
    stretch: Annotated[
        str | None,
        typer.Option(
            metavar="LOW:HIGH",
            help="stored values shown black and white in every scene: 200:3000, or three with commas; or the stretch of an image",
        ),
    ] = None,
    union: Annotated[bool, typer.Option("--union", help="one region of all instances of a scene")] = False,
    min_area_m2: Annotated[float, typer.Option(help="leave out smaller regions")] = 0.0,
    mode: Annotated[str, typer.Option(metavar="MODE", help="auto, overview or full, as for `segment`")] = "auto",
    gsd_m: Annotated[
        str | None,
        typer.Option(
            metavar="METRES",
            help="metres a pixel of the windows, or native: the image's own; default: native, coarser in mode auto where all that is asked for is large",
        ),
    ] = None,
    max_windows: Annotated[int | None, typer.Option(help="look at no more windows of a scene than this")] = None,
    max_seconds: Annotated[
        float | None, typer.Option(help="of one scene: stop looking at windows after this time")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(help="of one scene: stop after so many tokens of answers")] = None,
    max_size: Annotated[int | None, typer.Option(help="longer side in pixels of the picture that models see")] = None,
    prompter: Annotated[str | None, typer.Option(help="nano, a hub name, a folder, URL#model, scripted:FILE")] = None,
    segmenter: Annotated[str | None, typer.Option(help="nano, a hub name, a folder, a .pth file, box")] = None,
    style: Annotated[str | None, typer.Option(help="prompts to ask for, as for `segment`")] = None,
    samples: Annotated[int | None, typer.Option(help="ask this many times")] = None,
    seed: Annotated[int | None, typer.Option(help="of several samples")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, mps")] = None,
    store: Annotated[Path | None, typer.Option(help="folder of results; without it, `results` in --out")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the summary as JSON")] = False,
    _summary: Annotated[
        Path | None,
        typer.Option(
            "--summary",
            metavar="DIR",
            callback=_print_summary,
            is_eager=True,
            help="print what a folder holds, and end",
        ),
    ] = None,
) -> None:
    """Ask QUESTION about every scene of an archive. The same command again goes on where it ended."""
    from t2s_agent.batch import Job, Selection, run_batch
    from t2s_agent.batch.pairs import find_pairs
    from t2s_agent.batch.questions import read_questions
    from t2s_agent.batch.scenes import find_scenes
    from t2s_agent.batch.selecting import select
    from t2s_agent.pipeline.resolution import checked_gsd

    screen = Screen(as_json)
    settings = _settings(
        load_settings(
            prompter=prompter,
            segmenter=segmenter,
            style=style,
            samples=samples,
            seed=seed,
            device=device,
            max_size=max_size,
            store=store,
        )
    )
    out = out.expanduser().absolute()
    job = Job(
        out,
        settings,
        None if store is None else settings.store.absolute(),
        bands=bands,
        stretch=_stretch(stretch),
        merge="union" if union else "instances",
        min_area_m2=min_area_m2,
        mode=mode,  # type: ignore[arg-type]  # any text of the user's; checked_budget refuses what it does not know
        gsd_m=checked_gsd(gsd_m),
        max_windows=max_windows,
        max_seconds=max_seconds,
        max_tokens=max_tokens,
        pairs=pair,
        selection=Selection(words.box(bbox, "--bbox"), asset, root),
    )
    questions = read_questions(question)
    if pair:
        pairs = find_pairs(scenes, root=root, asset=asset, leave_out=out)
        found = pairs.scenes
        screen.note(f"{_plural(pairs.alone, 'scene')} of one date only, left out" if pairs.alone else "", "yellow")
    else:
        found = find_scenes(scenes, root=root, asset=asset, leave_out=out)
    chosen = select(found, job.selection.bbox, lambda: _opener(job))
    screen.note(_count(len(chosen.scenes), len(found), chosen.without_place, "pair" if pair else "scene"))
    try:
        with _shown(screen) as report:
            done = run_batch(
                job,
                chosen.scenes,
                questions,
                pool=_ray_pool(ray, workers or 0) if ray else None,
                workers=1 if workers is None else workers,
                retry_failed=retry_failed,
                finish_partly=finish_partly,
                report=report,
            )
    except KeyboardInterrupt:
        screen.note("interrupted: the same command goes on with the rows that are left", "")
        raise
    if as_json:
        screen.json(done.summary.model_dump(mode="json") | {"done": done.done, "before": done.before, "out": str(out)})
        return
    _say(screen, done.summary, out)
    screen.note(_ended(done))


def _ray_pool(address: str, workers: int) -> "PoolOf":
    from t2s_agent.batch.ray_pool import RayPool

    return lambda job: RayPool(job, workers, address)


def _settings(settings: Settings) -> Settings:
    """Settings that mean the same in a worker's folder: the path of a script is made whole."""
    if not settings.prompter.startswith("scripted:"):
        return settings
    path = Path(settings.prompter.removeprefix("scripted:")).expanduser().absolute()
    return settings.model_copy(update={"prompter": f"scripted:{path}"})


def _opener(job: "Job") -> "Engine":
    """An engine that opens scenes for their headers; no model is loaded."""
    from t2s_agent.models import Models
    from t2s_agent.pipeline import Engine
    from t2s_agent.results.store import ResultStore

    return Engine(job.settings, Models(job.settings), ResultStore(job.results))


def _stretch(given: str | None) -> str | None:
    """A stretch for every worker: ranges that can be read, or an image by its whole path."""
    from t2s_agent.api.naming import image_named, is_result
    from t2s_agent.scene.named_stretch import is_ranges, parse_stretch
    from t2s_agent.scene.remote.address import is_address

    if not given:
        return None
    if is_ranges(given):
        parse_stretch(given)
        return given
    if is_result(given):  # an archive has a store of its own
        raise T2SError("argument_invalid", f"--stretch {given} is a result", "Name its ranges (describe), or its image")
    found = image_named(given)
    if not is_address(found):
        return str(Path(found).absolute())
    if "?" in found:  # batch.json keeps it
        raise T2SError(
            "argument_invalid", "--stretch is an address with a query, which is not stored", "Name its ranges"
        )
    return found


def _count(chosen: int, found: int, without_place: int, noun: str) -> str:
    nowhere = f", {without_place} left out that have no place on Earth" if without_place else ""
    return f"{chosen} of {_plural(found, noun)}{nowhere}" if chosen != found else _plural(found, noun)


@contextmanager
def _shown(screen: Screen) -> Iterator["Report"]:
    """Yields a function that shows rate and time left, at most twice a second, or every ten seconds in a log."""
    last = [time.monotonic()]
    with screen.progress() as show:
        every = _TERMINAL_S if screen.live else _LOG_S

        def report(progress: "Progress") -> None:
            now = time.monotonic()
            if now - last[0] >= every:
                last[0] = now
                show(progress_line(progress))

        yield report


def progress_line(progress: "Progress") -> str:
    """`120 of 2000 rows, 3 failed, 8.4 a second, 3 min 44 s left`."""
    failed = f", {progress.failed} failed" if progress.failed else ""
    rate = (
        f"{progress.rate:.3g} a second"
        if progress.rate >= 0.1 or not progress.rate
        else f"{60 * progress.rate:.3g} a minute"
    )
    left = "" if progress.left_s is None else f", {_duration(progress.left_s)} left"
    return f"{progress.done} of {progress.total} rows{failed}, {rate}{left}"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _say(screen: Screen, summary: "Summary", out: Path) -> None:
    counts = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in summary.by_status.items())
    of = f"{_plural(summary.rows, 'row')} of {_plural(summary.scenes, 'pair' if summary.pairs else 'scene')}"
    screen.say(f"{of}: {counts}" if counts else "no rows yet", "bold")
    if any(total.regions for total in summary.totals):
        for index, line in enumerate(aligned([_HEAD, *map(_total, summary.totals)])):
            screen.say(line, "" if index else "bold")
    if summary.changes:
        for index, line in enumerate(aligned([_HEAD_CHANGES, *map(_changes, summary.changes)])):
            screen.say(line, "" if index else "bold")
    for remark in _remarks(summary):
        screen.say(f"note: {remark}", "yellow")
    for folder, count in summary.parts.items():
        screen.say(f"  {one_line(str(out / folder), 4_000)}: {_plural(count, 'part')} of GeoParquet")
    screen.say(f"  {one_line(str(out / 'ledger.jsonl'), 4_000)}")


_HEAD = ["question", "rows answered", "regions", "area", "not looked at"]


def _total(total: "Total") -> list[str]:
    area = f"{with_plus_minus(total.area, total.area_pm)} {total.unit}" if total.regions else ""
    missing = f"{total.share_not_looked_at:.1%}" if total.share_not_looked_at else ""
    return [one_line(total.question_id, 60), str(total.rows), str(total.regions), area, missing]


_HEAD_CHANGES = ["question", "rows answered", "appeared", "gone", "changed", "same", "difference", "not looked at"]


def _changes(total: "ChangeTotal") -> list[str]:
    def size(count: int, area: float, plus_minus: float) -> str:
        return f"{count}: {with_plus_minus(area, plus_minus)} {total.unit}" if count else "0"

    any_ = total.appeared + total.gone + total.changed + total.same
    return [
        one_line(total.question_id, 60),
        str(total.rows),
        size(total.appeared, total.appeared_area, total.appeared_area_pm),
        size(total.gone, total.gone_area, total.gone_area_pm),
        str(total.changed),
        str(total.same),
        f"{with_plus_minus(total.difference, total.difference_pm)} {total.unit}" if any_ else "",
        f"{total.share_not_looked_at:.1%}" if total.share_not_looked_at else "",
    ]


def _remarks(summary: "Summary") -> Iterator[str]:
    """What a reader of the counts should know, and how to go on."""
    from t2s_agent.prompting.answer import OUTCOMES

    if summary.failed_by_code:
        yield f"failed: {_codes(summary.failed_by_code)}; ledger.jsonl says why, --retry-failed tries again"
    if summary.unfinished:
        ended = f"; could not be finished: {_codes(summary.unfinished_by_code)}" if summary.unfinished_by_code else ""
        yield (
            f"partly: {_plural(summary.unfinished, 'row')} with windows that failed or were not reached{ended}; "
            "--finish-partly goes on, with higher limits where a limit ended them"
        )
    if coarse := summary.by_status.get("partly", 0) - summary.unfinished:
        yield f"partly: {_plural(coarse, 'row')} in which small objects could not be seen at that scale (--mode full, with another --out)"
    if "not_understood" in summary.by_status:
        yield f"not understood: {OUTCOMES['not_understood']}"
    if uncertain := sum(total.uncertain for total in summary.changes):
        yield f"uncertain: {uncertain} of the matches between two dates; the column why of the parts says why"
    if hidden := sum(total.not_compared for total in summary.changes):
        yield f"not compared: {_plural(hidden, 'region')} that the picture of the other date does not show"
    if summary.earlier_versions:
        yield (
            f"{_plural(summary.earlier_versions, 'row')} of earlier versions of scenes are in the parts too, and not counted in the "
            "areas above"
        )
    if len({total.unit for total in summary.totals} | {total.unit for total in summary.changes}) > 1:
        yield "px2 are pixels of images without a place on Earth, which have a folder of their own"


def _codes(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {code}" for code, count in counts.items())


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _ended(done: "Finished") -> str:
    before = f", {done.before} done before" if done.before else ""
    repaired = f"; {done.repaired} lines or parts of a run that was killed were thrown away" if done.repaired else ""
    return f"{_plural(done.done, 'row')} in this run{before}{repaired}"
