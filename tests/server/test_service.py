"""What agents may know of the machine that serves them."""

from pathlib import Path

import pytest
from served.data import settings_in

from t2s_agent.errors import T2SError
from t2s_agent.server.service import Service


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/data/a.tif is damaged", "a.tif is damaged"),
        ("nothing in /data.", "nothing in the folder."),
        ("in '/data' or /database/a.tif", "in 'the folder' or /database/a.tif"),
        ("https://host/data/a and t2s://images/data/a", "https://host/data/a and t2s://images/data/a"),
        ("loading /srv/models/mine", "loading mine"),
    ],
)
def test_folders_and_models_go_by_names(tmp_path, text, told):
    settings = settings_in(tmp_path, roots=(Path("/data"), Path("/")), prompter="/srv/models/mine")
    assert Service(settings).redact(text) == told


def test_a_server_does_not_start_where_files_beside_images_are_trusted(tmp_path):
    with pytest.raises(T2SError) as caught:
        Service(settings_in(tmp_path, trust_sidecars=True))
    assert caught.value.code == "argument_invalid"
    assert "trust_sidecars" in caught.value.fix
