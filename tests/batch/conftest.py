"""A folder of tiny scenes on Earth, and a job that answers from a script with the box segmenter: a row takes milliseconds."""

import pytest
from archive.data import TANKS, write_scene, write_script

from t2s_agent.batch import Job, run_batch
from t2s_agent.batch.questions import Question
from t2s_agent.batch.scenes import find_scenes
from t2s_agent.settings import load_settings


@pytest.fixture
def scenes(tmp_path):
    """`in/a.tif`, `in/b.tif` and `in/deeper/c.tif`."""
    for number, name in enumerate(("a.tif", "b.tif", "deeper/c.tif")):
        write_scene(tmp_path / "in" / name, west=500_000 + 100 * number)
    return tmp_path / "in"


@pytest.fixture
def job(tmp_path):
    """Two tanks in every scene, no ship."""
    write_script(tmp_path / "script.json")
    settings = load_settings(prompter=f"scripted:{tmp_path / 'script.json'}", segmenter="box", store=tmp_path / "store")
    return Job(tmp_path / "out", settings)


@pytest.fixture
def run(job, scenes):
    """Runs a job over the scenes in this process, with one question about tanks unless others are given."""

    def run(*questions, **options):
        given = options.pop("scenes", None) or find_scenes([str(scenes)])
        asked = questions or (Question("tanks", TANKS),)
        return run_batch(options.pop("job", job), given, asked, **{"workers": 0, **options})

    return run
