"""Licences: NOTICE names every shipped file that is not code, and every library."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import voxcycle

ROOT = Path(__file__).parents[1]
NOTICE = (ROOT / "NOTICE").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OWN_CODE = {".py", ".pyc"}
NO_LIBRARIES = {"dev", "docs", "release"}  # extras of tools, which voxcycle never imports


def find_licences(heading):
    """Return the licences under a heading, by the name before them."""
    section = NOTICE[NOTICE.index(heading) :].split("\n\n")[0]
    return dict(re.findall(r"^    (\S+) {2,}(\S.*)$", section, re.MULTILINE))


def test_the_notice_names_every_file_of_the_package_that_is_not_code():
    package = ROOT / "voxcycle"
    files = [path for path in package.rglob("*") if path.is_file() and path.suffix not in OWN_CODE]
    shipped = {path.relative_to(package).as_posix() for path in files}
    licences = find_licences("Files of the installed package")
    assert licences.keys() == shipped
    assert all(re.match("MIT|Apache-2.0|BSD-3-Clause", licence) for licence in licences.values())


def test_voices_state_the_licence_of_the_notice():
    licences = find_licences("Files of the installed package")
    for path in (ROOT / "voxcycle/voices/embedded").iterdir():
        stated = voxcycle.load_voice(path).card.licence
        assert licences[f"voices/embedded/{path.name}"].startswith(stated)


def test_the_notice_names_the_licence_of_every_library_of_an_installation():
    licences = find_licences("Libraries of every installation")
    wanted, found = [Requirement(line) for line in PROJECT["dependencies"]], set()
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        metadata = importlib.metadata.metadata(name)
        assert name in licences, f"{name}, {metadata.get('License')}: add it to NOTICE"
        if expression := metadata.get("License-Expression"):
            assert licences[name].startswith(expression)
        wanted += [Requirement(line) for line in importlib.metadata.requires(name) or []]
    assert len(found) >= 15


def test_the_notice_names_every_library_of_the_extras():
    named = {canonicalize_name(word) for word in re.findall(r"[\w-]+", NOTICE)}
    for extra, lines in PROJECT["optional-dependencies"].items():
        if extra not in NO_LIBRARIES:
            required = {canonicalize_name(Requirement(line).name) for line in lines}
            assert not required - named - {"voxcycle"}, extra


def test_the_citation_names_this_version_and_licence():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["message"] and citation["title"] == PROJECT["name"] and citation["authors"]
    assert citation["version"] == PROJECT["version"] == voxcycle.__version__
    assert citation["license"] == PROJECT["license"]
