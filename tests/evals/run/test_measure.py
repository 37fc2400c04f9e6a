"""What re-scoring costs, counted in passes of a small SAM 2, and runs that are killed."""

import pytest
from samples.data import DATASET, make_sample, script
from tiny_models.data import make_sam2

from evals.protocols import PROTOCOLS
from evals.run.answers import Asking, write_answers
from evals.run.measure import kills, prompts
from evals.run.scores import read_scores, write_scores
from evals.run.summary import write_summary
from evals.run.views import Looking
from t2s_agent.segmenting.cache import EmbeddingCache
from t2s_agent.segmenting.sam2 import Sam2Segmenter


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return make_sam2(tmp_path_factory.mktemp("sam2"))


@pytest.fixture
def run(tmp_path, weights):
    """Six answers about each of two images, and how to score them with a store of embeddings."""
    questions = [f"thing {i}" for i in range(6)]
    samples = [make_sample(image, question, (5, 5, 20, 30)) for image in range(2) for question in questions]
    looking = Looking()
    answers = write_answers(
        samples,
        script(dict.fromkeys(questions, (5, 5, 20, 30))),
        tmp_path,
        asking=Asking(looking, {}),
        dataset=DATASET,
        total=12,
    )

    def score(name, **more):
        segmenter = Sam2Segmenter.load(weights, device="cpu", cache=EmbeddingCache(2**20, tmp_path / "embeddings"))
        return write_scores(samples, answers, segmenter, tmp_path / name, looking=looking, **more), segmenter.embedded

    return score


def test_another_kind_of_prompt_takes_no_pass_of_the_encoder(run):
    assert run("first")[1] == 2  # one an image, for twelve answers
    assert run("box", prompts="box")[1] == 0
    assert run("points", prompts="points")[1] == 0


def test_masks_from_the_store_are_those_of_a_fresh_pass(run, tmp_path):
    fresh, _ = run("box", prompts="box")
    stored, passes = run("again", prompts="box")
    assert passes == 0
    one, other = ([row.grids for row in read_scores(path)[0]] for path in (fresh, stored))
    assert one == other


def test_another_protocol_loads_no_model(run, monkeypatch):
    path, _ = run("first")
    monkeypatch.setattr(Sam2Segmenter, "load", None)
    monkeypatch.setattr(Sam2Segmenter, "decode", None)
    for protocol in PROTOCOLS.values():
        write_summary(path, protocol, resamples=20)


def test_the_paper_s_way_is_measured_beside_ours(tmp_path, weights):
    loaded = []

    def load(cache):
        loaded.append(Sam2Segmenter.load(weights, device="cpu", cache=cache))
        return loaded[-1]

    found = prompts(1, 3, tmp_path, load)
    assert [each.embedded for each in loaded] == [3, 1, 0, 0]
    assert set(found) == {"reference", "cold", "warm, box", "warm, points"}


@pytest.mark.slow
def test_runs_killed_at_random_moments_end_in_the_same_tables(tmp_path):
    found = kills(3, 3, 1, tmp_path)
    assert found["kills"] == 3
    assert found["rows"] == 12
    assert found["identical"]
