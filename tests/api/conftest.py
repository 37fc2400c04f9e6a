"""Stored results without models: a folder of files as the pipeline writes them, and the engine of its store."""

import pytest
from stored.data import stored_result
from views.data import view_of

from t2s_agent.api.engine import Engine
from t2s_agent.results.record import new_id


@pytest.fixture
def engine(tmp_path):
    return Engine.open(store=tmp_path / "store", prompter="nano", segmenter="box")


@pytest.fixture
def stored(engine):
    """Makes a stored result of one region a box, and gives it as an object."""

    def make(boxes=((10, 10, 16, 16), (30, 5, 40, 20)), located=True, **changes):
        id_ = new_id()
        view = view_of() if located else view_of(crs=None, transform=None)
        stored_result(engine.store.folder / id_, boxes, view=view, id=id_, **changes)
        return engine.result(id_)

    return make
