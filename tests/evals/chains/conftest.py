"""A drawn scene, and the product's server over it with perception from the truth."""

import pytest

from evals.chains.runner import staged
from evals.chains.scenes import prepare


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    prepare(folder, ["quay"])
    return folder


@pytest.fixture
def stage(cache, tmp_path):
    with staged(cache, ["quay"], tmp_path / "store") as stage:
        yield stage
