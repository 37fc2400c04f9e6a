"""A tag is released only where everything that names the version agrees with it."""

import json

import pytest

from tests.release_check import release_notes


@pytest.fixture
def project(tmp_path):
    """A folder with the three files that name a version."""

    def write(
        version="0.2.0",
        server="0.2.0",
        changelog="## Unreleased\n\n## 0.2.0 (2027-01-31)\n\n- Faster.\n\n## 0.1.0 (2026-12-01)\n\n- First.\n",
    ):
        (tmp_path / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n', encoding="utf-8")
        (tmp_path / "server.json").write_text(json.dumps({"version": server}), encoding="utf-8")
        (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n" + changelog, encoding="utf-8")
        return tmp_path

    return write


def test_the_notes_are_the_section_of_the_version(project):
    assert release_notes("v0.2.0", project()) == "- Faster.\n"


@pytest.mark.parametrize(
    ("tag", "files"),
    [
        ("v0.2.1", {}),
        ("0.2.0", {}),
        ("v0.2.0", {"version": "0.1.0"}),
        ("v0.2.0", {"server": "0.1.0"}),
        ("v0.2.0", {"changelog": "## 0.2.0 (unreleased)\n\n- Faster.\n"}),
        ("v0.2.0", {"changelog": "## 0.1.0 (2026-12-01)\n\n- First.\n\n## 0.2.0 (2027-01-31)\n\n- Faster.\n"}),
        ("v0.2.0", {"changelog": "## 0.2.0 (2027-02-31)\n\n- Faster.\n"}),
        ("v0.2.0", {"changelog": "## 0.2.0 (2027-01-31)\n\n## 0.1.0 (2026-12-01)\n\n- First.\n"}),
    ],
)
def test_a_tag_that_something_contradicts_is_refused(project, tag, files):
    with pytest.raises(ValueError):
        release_notes(tag, project(**files))
