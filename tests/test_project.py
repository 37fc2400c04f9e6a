"""The project's own files agree with each other: versions, bounds of dependencies, citation, changelog, workflows."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
OTHERS = {name: [each for each in EXTRAS[name] if not each.startswith(PROJECT["name"])] for name in EXTRAS}
FOR_USERS = [
    *PROJECT["dependencies"],
    *(each for name in EXTRAS.keys() - {"dev", "docs", "evals", "training"} for each in OTHERS[name]),
]
ALL = [*PROJECT["dependencies"], *(each for extra in OTHERS.values() for each in extra)]


def _pins(name):
    """Package to version of a file of constraints."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line.strip() and not line.startswith("#")]
    return {_plain(package): Version(version) for package, version in pairs}


def _plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _floor(requirement):
    """The version behind >= in a requirement."""
    [floor] = [each.version for each in Requirement(requirement).specifier if each.operator == ">="]
    return Version(floor)


def test_every_dependency_has_a_lower_bound():
    for requirement in ALL:
        assert _floor(requirement), requirement


def test_the_oldest_versions_are_the_lower_bounds():
    expected = {_plain(Requirement(each).name): _floor(each) for each in FOR_USERS}
    assert _pins("constraints-oldest.txt") == expected


def test_the_pinned_versions_are_within_the_bounds():
    pins = _pins("constraints.txt")
    for requirement in [*FOR_USERS, *EXTRAS["dev"]]:
        parsed = Requirement(requirement)
        if _plain(parsed.name) in pins:
            assert pins[_plain(parsed.name)] in parsed.specifier, requirement
    assert {_plain(Requirement(each).name) for each in FOR_USERS} <= pins.keys()


def test_one_package_has_one_lower_bound_in_all_extras():
    bounds = {}
    for requirement in ALL:
        bounds.setdefault(_plain(Requirement(requirement).name), set()).add(_floor(requirement))
    assert {name: found for name, found in bounds.items() if len(found) > 1} == {}


def test_the_citation_is_of_this_version_and_names_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["title"]) == (PROJECT["version"], PROJECT["name"])
    assert citation["license"] == PROJECT["license"]
    assert [each["url"] for each in citation["references"]] == [PROJECT["urls"]["Paper"]]


def test_the_sections_of_the_changelog_have_a_version_and_a_date():
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    pattern = r"Unreleased|\d+\.\d+\.\d+ \((unreleased|\d{4}-\d{2}-\d{2})\)"
    assert headings
    assert [each for each in headings if not re.fullmatch(pattern, each)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_targets_of_the_makefile_and_files_that_exist(workflow):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    lines = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert lines
    for line in lines:
        for target in re.findall(r"\bmake ([a-z-]+)", line):
            assert target in targets, line
        for path in re.findall(r"\btests/\w+\.py", line):
            assert (ROOT / path).is_file(), line
        for module in re.findall(r"-m (tests\.\w+)", line):
            assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), line


def test_the_workflows_test_each_python_that_is_named_and_the_oldest_and_newest_dependencies():
    tests = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))
    matrix = tests["jobs"]["tests"]["strategy"]["matrix"]["include"]
    named = {each.rsplit(" ", 1)[1] for each in PROJECT["classifiers"] if re.search(r"Python :: \d\.\d+$", each)}
    assert {each["python"] for each in matrix} == named
    assert {each["dependencies"] for each in matrix} == {"pinned", "oldest", "newest"}
    for each in matrix:
        assert each["constraints"] == "/dev/null" or (ROOT / each["constraints"]).is_file()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_only_read_unless_a_job_says_otherwise(workflow):
    assert yaml.safe_load(workflow.read_text(encoding="utf-8"))["permissions"] == {"contents": "read"}


def test_the_issue_forms_have_the_fields_that_the_host_requires():
    for form in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        content = yaml.safe_load(form.read_text(encoding="utf-8"))
        if form.stem == "config":
            assert set(content) <= {"blank_issues_enabled", "contact_links"}
            continue
        assert {"name", "description", "body"} <= set(content)
        ids = [each["id"] for each in content["body"] if each["type"] != "markdown"]
        assert len(ids) == len(set(ids)) > 0
        assert all(each["attributes"].get("label") for each in content["body"] if each["type"] != "markdown")


def test_the_server_entry_has_the_version_of_the_package():
    entry = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
    assert {entry["version"], *(each["version"] for each in entry["packages"])} == {PROJECT["version"]}
