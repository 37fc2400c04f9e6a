"""nano answers the demo's question by real inference: all tanks, each a region of its own, and nothing else."""

import numpy as np
import pytest

from evals.scenes import demo
from t2s_agent.cli.demo import QUESTION
from t2s_agent.models import Models, nano_folder
from t2s_agent.pipeline import Engine, Refinement, refine, segment
from t2s_agent.pipeline.loading import region_set
from t2s_agent.settings import load_settings

DEMO = nano_folder("demo") / "harbour.tif"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return Engine.open(load_settings(store=tmp_path_factory.mktemp("store"), device="cpu"))


@pytest.fixture(scope="module")
def truth():
    return demo()


@pytest.fixture(scope="module")
def answered(engine):
    return segment(engine, DEMO, QUESTION)


def tanks_of(truth):
    return np.array(truth.instances("storage tank"))


def test_the_question_is_understood_and_every_tank_is_a_region_of_its_own(engine, truth, answered):
    tanks = tanks_of(truth)
    labels = region_set(engine, answered).labels
    regions = {int(np.bincount(labels[tank]).argmax()) for tank in tanks}
    assert answered.prompted.thinking == "Looking for storage tank."
    assert len(answered.regions) == len(tanks) == 7
    assert regions == set(range(1, 8))


def test_most_of_what_it_marks_is_tank(engine, truth, answered):
    labels = region_set(engine, answered).labels
    tank = tanks_of(truth).any(0)
    assert tank[labels > 0].mean() > 0.7
    assert all(tank[labels == region].mean() > 0.5 for region in np.unique(labels) if region)


def test_outlines_follow_the_tanks(engine, truth, answered):
    labels = region_set(engine, answered).labels
    overlaps = [
        max((tank & (labels == n)).sum() / (tank | (labels == n)).sum() for n in range(1, 8))
        for tank in tanks_of(truth)
    ]
    assert np.mean(overlaps) > 0.8
    assert min(overlaps) > 0.5


def test_what_is_not_there_is_not_found(engine):
    assert segment(engine, DEMO, "Where are the planes?").status == "empty"


def test_what_it_was_never_taught_is_not_answered_with_the_nearest_class(engine):
    result = segment(engine, DEMO, "Where are the solar panels?")
    assert (result.status, result.regions) == ("not_understood", ())
    assert any("was not taught 'solar panels'" in warning for warning in result.warnings)
    assert refine(engine, result.id, Refinement(min_area_m2=1)).status == "not_understood"


def test_one_of_several_is_found_by_where_it_lies(engine, truth):
    answered = segment(engine, DEMO, "the easternmost building")
    buildings = np.array(truth.instances("building"))
    furthest = max(buildings, key=lambda building: np.argwhere(building)[:, 1].mean())
    found = region_set(engine, answered).labels > 0
    assert len(answered.regions) == 1
    assert furthest[found].mean() > 0.7
    assert found[furthest].mean() > 0.7


def test_both_models_weigh_less_than_forty_megabytes():
    files = [file for part in ("prompter", "segmenter") for file in nano_folder(part).glob("*.safetensors")]
    assert len(files) == 2
    assert sum(file.stat().st_size for file in files) < 40e6


def test_pictures_and_prompts_of_the_segmenter_share_one_code_of_positions():
    model = Models(load_settings(device="cpu")).segmenter()._inner._model  # type: ignore[attr-defined]  # a close-up segmenter
    ours = model.prompt_encoder.shared_embedding.positional_embedding
    assert (model.shared_image_embedding.positional_embedding == ours).all()
