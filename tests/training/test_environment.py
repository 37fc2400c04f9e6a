"""What is noted about the place of a run, and what is not."""

import getpass
import json
import platform
import subprocess
from pathlib import Path

import pytest
import torch

from training.environment import environment, revision, without_folders


def test_the_environment_has_versions_and_devices():
    facts = environment(["python", "-m", "training.grpo", "--recipe", "nano"])
    assert facts["command"] == ["python", "-m", "training.grpo", "--recipe", "nano"]
    assert facts["packages"]["torch"] == torch.__version__
    assert {"transformers", "trl", "peft", "accelerate"} <= set(facts["packages"])
    assert facts["processes"] == 1
    assert "cores" in facts["cpu"]


def test_the_environment_names_neither_host_nor_user_nor_folders(tmp_path):
    folder = tmp_path / "private-parent" / "run-7"
    text = json.dumps(environment(["python", "train.py", "--out", str(folder), f"--set=data.train.0.root={folder}"]))
    assert "private-parent" not in text
    assert "run-7" in text
    assert str(Path.home()) not in text
    assert platform.node() not in text
    assert f"/{getpass.getuser()}/" not in text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/a/b/run", "run"),
        ("policy.name=/a/b/model", "policy.name=model"),
        ("--set=root=/a/b", "--set=root=b"),
        ("~/x/y", "y"),
        (r"C:\x\y", "y"),
        ("Qwen/Qwen2.5-VL-3B-Instruct", "Qwen/Qwen2.5-VL-3B-Instruct"),
        ("runs/one/two", "runs/one/two"),
        ("../data/two", "../data/two"),
    ],
)
def test_only_absolute_paths_lose_their_folders(text, left):
    assert without_folders(text) == left


def test_the_revision_is_the_commit_and_whether_files_changed(tmp_path):
    def git(*words):
        subprocess.run(["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e", *words], check=True)

    assert revision(tmp_path) is None
    git("init", "-q")
    (tmp_path / "a").write_text("1", encoding="utf-8")
    git("add", "a")
    git("commit", "-q", "-m", "a")
    assert revision(tmp_path)["dirty"] is False
    assert len(revision(tmp_path)["commit"]) == 40
    (tmp_path / "a").write_text("2", encoding="utf-8")
    assert revision(tmp_path)["dirty"] is True
