"""An engine over the served harbour, as the tools use it."""

import pytest
from served.data import settings_in, stage

from t2s_agent.pipeline import Engine


@pytest.fixture
def engine(tmp_path):
    stage(tmp_path)
    return Engine.open(settings_in(tmp_path))
