"""The demo: the scene, the models and the question that come with the package, through the ordinary pipeline."""

import shutil
import tempfile
import time
from importlib.resources import as_file, files
from pathlib import Path

from t2s_agent.cli.show import Screen
from t2s_agent.pipeline import Workshop, segment
from t2s_agent.settings import load_settings

QUESTION = "Where are the storage tanks?"
SCENE = "harbour.tif"


def run_demo(out: Path) -> None:
    """Segments the demo scene and writes scene, picture, polygons, mask and record into `out`."""
    screen = Screen(as_json=False)
    began = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    with as_file(files("t2s_agent.nano") / "demo" / SCENE) as scene:
        shutil.copyfile(scene, out / SCENE)
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop.open(load_settings(store=Path(folder), prompter="nano", segmenter="nano"))
        with screen.progress() as progress:
            result = segment(shop, out / SCENE, QUESTION, progress=progress)
        for file in (shop.store.folder / result.id).iterdir():
            shutil.copyfile(file, out / file.name)
    screen.result(result, out)
    screen.note(
        f"{time.perf_counter() - began:.1f} s, of which " + ", ".join(f"{k} {v:.2f}" for k, v in result.seconds.items())
    )
