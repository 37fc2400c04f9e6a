"""A signature in an address is sent to its server, and is in nothing that is printed, logged or stored."""

import io
import json
import logging
import traceback

import pytest
from archive.data import TANKS, write_archive, write_scene

from evals.remote.serving import https_files
from t2s_agent.batch import Job, run_batch
from t2s_agent.batch.questions import Question
from t2s_agent.batch.scenes import SceneRef, find_scenes
from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine
from t2s_agent.pipeline.change import change
from t2s_agent.settings import load_settings

SECRET = "CANARY7f3e"
SIGNED = f"?sv=1&sig={SECRET}%2Fx&se=2"


@pytest.fixture
def served(tmp_path):
    """Scenes `000/s00000.tif` and `000/s00001.tif` at an https server, and a script of answers beside them."""
    write_archive(tmp_path / "web", 2, side=32)
    (tmp_path / "web" / "scenes" / "broken.tif").write_bytes(b"II*\0broken")
    with https_files(tmp_path / "web" / "scenes") as found:
        yield found


@pytest.fixture
def log():
    """All that is logged, with tracebacks, at every level."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def everything_in(folder):
    """The bytes and the names of all files below a folder."""
    return b"".join(str(path).encode() + (path.read_bytes() if path.is_file() else b"") for path in folder.rglob("*"))


def item(id_, href):
    return {"type": "Feature", "id": id_, "assets": {"visual": {"href": href, "type": "image/tiff"}}}


def test_nothing_of_an_archive_of_signed_addresses_holds_a_signature(t2s, tmp_path, served, log):
    good, other = f"{served.url}/000/s00000.tif{SIGNED}", f"{served.url}/000/s00001.tif{SIGNED}"
    wrong = [
        f"{served.url}/missing.tif{SIGNED}", f"{served.url}/broken.tif{SIGNED}", f"https://other.example/a.tif{SIGNED}",
        f"http://{served.host}/a.tif{SIGNED}", f"s3://bucket/a.tif{SIGNED}", f"https://user:{SECRET}@{served.host}/b.tif",
    ]  # fmt: skip
    (tmp_path / "list.txt").write_text("\n".join([good, *wrong]))
    items = [item("one", other), item("two", f"https://other.example/x.tif{SIGNED}")]
    (tmp_path / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    own = ["--out", tmp_path / "out", "--workers", "0", "--prompter", f"scripted:{tmp_path / 'web' / 'script.json'}"]
    hosts = {"T2S_REMOTE_PRIVATE_HOSTS": served.host, "T2S_REMOTE_CA_FILE": str(served.ca)}
    done = t2s("batch", TANKS, tmp_path / "list.txt", tmp_path / "items.json", *own, **hosts)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("9 rows of 9 scenes: 7 failed, 2 found")
    assert any(SECRET in path for path, _ in served.requests)  # it was sent
    again = t2s("batch", TANKS, tmp_path / "list.txt", tmp_path / "items.json", *own, "--retry-failed", **hosts)
    for text in (done.stdout, done.stderr, again.stdout, again.stderr, log.getvalue()):
        assert SECRET not in text
    assert SECRET.encode() not in everything_in(tmp_path / "out")


def test_two_addresses_that_differ_in_their_signature_are_refused_without_it(t2s, tmp_path, served):
    (tmp_path / "list.txt").write_text(f"{served.url}/a.tif{SIGNED}\n{served.url}/a.tif?sig=B{SECRET}\n")
    done = t2s("batch", TANKS, tmp_path / "list.txt", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert f"two scenes have the name '{served.url}/a.tif'" in done.stderr
    assert SECRET not in done.stderr


REFUSED = [
    "{url}/none.tif{signed}", "https://other.example/a.tif{signed}", "{url}/none.json{signed}", "gs://b/a.tif{signed}",
    "https://u:CANARY7f3e@h.example/a.tif", "https://h.example/a b.tif{signed}", "https://h.example/a.tif{signed}#x",
    "/vsicurl/https://h.example/a.tif{signed}", "https:/h.example/a.tif{signed}",
]  # fmt: skip


@pytest.mark.parametrize("command", ["segment", "describe", "change", "items", "batch"])
def test_no_command_prints_a_signature_when_it_refuses(t2s, tmp_path, served, command):
    hosts = {"T2S_REMOTE_PRIVATE_HOSTS": served.host, "T2S_REMOTE_CA_FILE": str(served.ca)}
    for number, address in enumerate(REFUSED):
        shown = address.format(url=served.url, signed=SIGNED)
        words = {
            "segment": [shown, "tanks"],
            "describe": [shown],
            "change": [shown, shown, "tanks"],
            "items": [shown, "--out", tmp_path / "out"],
            "batch": [TANKS, shown, "--out", tmp_path / f"out{number}", "--workers", "0"],
        }
        done = t2s(command, *words[command], **hosts)
        assert done.returncode or " failed" in done.stdout
        assert SECRET not in done.stdout + done.stderr


def test_signed_images_of_two_dates_are_compared(tmp_path, served):
    settings = load_settings(
        prompter=f"scripted:{tmp_path / 'web' / 'script.json'}", segmenter="box", store=tmp_path / "store",
        remote_private_hosts=[served.host], remote_ca_file=served.ca,
    )  # fmt: skip
    image = f"{served.url}/000/s00000.tif{SIGNED}"
    found = change(Engine.open(settings), image, image, TANKS)
    assert found.facts()["same_count"] == 2
    assert SECRET not in json.dumps(found.collection())
    assert SECRET.encode() not in everything_in(tmp_path / "store")


def test_a_bug_in_a_row_is_logged_without_the_address(tmp_path, log, monkeypatch):
    write_scene(tmp_path / "a.tif")

    def broken(*_, **__):
        raise ValueError(f"cannot read https://h.example/a.tif{SIGNED}")

    monkeypatch.setattr("t2s_agent.batch.worker.segment", broken)
    job = Job(tmp_path / "out", load_settings(prompter="nano"))
    run_batch(job, [SceneRef("a", "a.tif")], [Question("q", "tanks")], workers=0)
    assert "cannot read https://h.example/a.tif" in log.getvalue()
    assert SECRET not in log.getvalue()
    assert SECRET.encode() not in everything_in(tmp_path / "out")


def test_a_traceback_of_an_error_holds_no_signature(tmp_path):
    with pytest.raises(T2SError) as error:
        find_scenes([f"https://h.example/{tmp_path.name}.txt{SIGNED}", f"https://h.example/{tmp_path.name}.txt?other"])
    assert SECRET not in "".join(traceback.format_exception(error.value))
