"""What is checked before a prompter is asked, which may be paid for each answer or take minutes."""

import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from t2s_agent.errors import T2SError
from t2s_agent.models import Models, check_models, nano_folder
from t2s_agent.pipeline import Refinement, refine, segment
from t2s_agent.settings import load_settings

TANKS = "Where are the storage tanks?"


class Counted(Models):
    """Counts how often its prompter is asked for."""

    def __init__(self, settings):
        super().__init__(settings)
        self.asked = 0

    def prompter(self, name=None):
        self.asked += 1
        return super().prompter(name)


def damaged(folder):
    shutil.copytree(nano_folder("segmenter"), folder)
    (folder / "model.safetensors").write_bytes(b"no weights")
    return str(folder)


def without_weights(folder):
    folder.mkdir()
    shutil.copyfile(nano_folder("segmenter") / "config.json", folder / "config.json")
    return str(folder)


@pytest.fixture
def wrong(request, tmp_path):
    return {
        "name": {"segmenter": "nanoo"},
        "file": {"segmenter": str(tmp_path / "sam_vit_b.pth")},
        "folder of another kind": {"segmenter": str(nano_folder("prompter"))},
        "damaged weights": {"segmenter": damaged(tmp_path / "damaged")},
        "no weights": {"segmenter": without_weights(tmp_path / "empty")},
        "device": {"segmenter": "nano", "device": "tpu"},
    }[request.param]


WRONG = ["name", "file", "folder of another kind", "damaged weights", "no weights", "device"]


@pytest.mark.parametrize("wrong", WRONG, indirect=True)
def test_a_segmenter_that_cannot_work_is_refused_before_the_prompter_is_asked(engine, scene, wrong):
    settings = engine.settings.model_copy(update=wrong)
    models = Counted(settings)
    with pytest.raises(T2SError) as caught:
        segment(replace(engine, settings=settings, models=models), scene, TANKS)
    assert caught.value.code == "model_unavailable"
    assert models.asked == 0


@pytest.mark.parametrize("wrong", ["name", "damaged weights"], indirect=True)
def test_so_it_is_before_words_are_reasoned_over_again(engine, scene, wrong):
    first = segment(engine, scene, TANKS)
    settings = engine.settings.model_copy(update=wrong)
    models = Counted(settings)
    with pytest.raises(T2SError) as caught:
        refine(replace(engine, settings=settings, models=models), first.id, Refinement(instruction="the large ones"))
    assert caught.value.code == "model_unavailable"
    assert models.asked == 0


@pytest.mark.parametrize("wrong", WRONG, indirect=True)
def test_the_check_itself_loads_nothing(wrong):
    with pytest.raises(T2SError):
        check_models(load_settings(**wrong))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"segmenter": "box", "prompter": "https://models.example.org/v1#eye"},
        {"segmenter": "facebook/sam2.1-hiera-small", "prompter": "RicardoString/Think2Seg-RS-3B"},
        {"segmenter": str(nano_folder("segmenter")), "prompter": "scripted:answers.json", "device": "cpu"},
    ],
)
def test_what_may_work_passes_and_nothing_is_fetched(settings):
    check_models(load_settings(**settings))


@pytest.mark.parametrize("prompter", ["nanoo", "https://models.example.org/v1"])
def test_a_prompters_name_is_checked_too(prompter):
    with pytest.raises(T2SError) as caught:
        check_models(load_settings(prompter=prompter))
    assert caught.value.code == "model_unavailable"


# what needs no model


def test_a_refinement_that_draws_nothing_names_its_parents_segmenter_and_loads_none(engine, scene):
    first = segment(engine, scene, TANKS)
    other = engine.settings.model_copy(update={"segmenter": "no such segmenter", "prompter": "neither"})
    made = refine(replace(engine, settings=other, models=Models(other)), first.id, Refinement(drop=(1,)))
    assert made.segmenter == first.segmenter
    assert made.segmenter.name == "box"
    assert made.prompter == first.prompter


def test_a_refinement_that_draws_names_the_segmenter_that_drew(engine, scene):
    first = segment(engine, scene, TANKS)
    again = engine.settings.model_copy(update={"segmenter": "nano", "device": "cpu"})
    by_nano = replace(engine, settings=again, models=Models(again))
    made = refine(by_nano, first.id, Refinement(box=(60, 410, 120, 470), pixels=True))
    assert made.segmenter.name == "nano"
    assert made.segmenter.digest == by_nano.models.segmenter().digest


_COMMANDS = """
import sys
from t2s_agent.cli.app import app
commands = {commands!r}
for command in commands:
    try:
        app(command, standalone_mode=False)
    except SystemExit as done:
        assert not done.code, command
heavy = [name for name in ("torch", "transformers", "mcp", "starlette") if name in sys.modules]
assert not heavy, heavy
"""


def test_commands_that_need_no_model_import_neither_torch_nor_transformers(engine, scene):
    first, second = segment(engine, scene, TANKS), segment(engine, scene, "ships")
    store = ["--store", str(engine.store.folder)]
    commands = [
        ["refine", first.id, "--drop", "1", *store],
        ["refine", first.id, "--keep", "2", "--min-area-m2", "10", "--smooth-m", "1", *store],
        ["refine", first.id, "--with", second.id, "--within-m", "50", *store],
        ["refine", first.id, "--with", second.id, "--operation", "union", *store],
        ["describe", first.id, *store],
        ["describe", first.id, "--region", "1", *store],
        ["describe", str(scene), *store],
        ["results", *store],
        ["replay", "--help"],
    ]
    code = _COMMANDS.format(commands=commands)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
