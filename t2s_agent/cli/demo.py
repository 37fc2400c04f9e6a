"""Runs the demo: the package's own scene, models and question, with the ordinary pipeline."""

import shutil
import time
from importlib.resources import as_file, files
from pathlib import Path

from t2s_agent.cli.files import copied
from t2s_agent.cli.show import Screen
from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine, segment
from t2s_agent.results.export.endings import demand_writable
from t2s_agent.settings import load_settings

QUESTION = "Where are the storage tanks?"
SCENE = "harbour.tif"


def run_demo(out: Path, store: Path | None = None) -> None:
    """Segments the demo scene; writes scene, picture, polygons, mask and record to `out`, and the result to the store.

    Raises `output_unwritable`.
    """
    screen = Screen(as_json=False)
    began = time.perf_counter()
    out = out.expanduser()
    demand_writable(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with as_file(files("t2s_agent.nano") / "demo" / SCENE) as scene:
            shutil.copyfile(scene, out / SCENE)
    except OSError as error:
        raise T2SError(
            "output_unwritable", f"{out} cannot be written ({error.strerror})", "Choose another with --out"
        ) from error
    # roots=(): the demo image may be opened although it is outside the user's image folders
    engine = Engine.open(load_settings(store=store, prompter="nano", segmenter="nano", roots=()))
    with screen.progress() as progress:
        result = segment(engine, out / SCENE, QUESTION, progress=progress)
    copied(result, engine.store.folder / result.id, out)
    screen.result(result, out)
    screen.say(f"Next: t2s-agent refine {result.id} --drop 3")
    took = ", ".join(f"{name} {value:.2f}" for name, value in result.seconds.items())
    screen.note(f"{time.perf_counter() - began:.1f} s, of which {took}")
