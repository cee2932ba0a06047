"""The Dockerfile: known instructions, files that reach the build, no privileges, a health check."""

import json
import re
import tomllib
from pathlib import Path, PurePosixPath

import pytest
import typer

from voxcycle.cli import app

ROOT = Path(__file__).parents[1]
# Of Docker's reference; MAINTAINER is deprecated.
KNOWN = set(
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL ONBUILD RUN SHELL STOPSIGNAL "
    "USER VOLUME WORKDIR".split()
)


@pytest.fixture(scope="module")
def steps():
    """Instructions and their values, in their order."""
    parser = pytest.importorskip("dockerfile_parse").DockerfileParser
    with (ROOT / "Dockerfile").open("rb") as file:
        structure = parser(fileobj=file).structure
    return [(s["instruction"], s["value"]) for s in structure if s["instruction"] != "COMMENT"]


def test_instructions_are_known_and_their_lists_are_json(steps):
    assert {name for name, _ in steps} <= KNOWN
    for name, value in steps:
        if "[" in value and name in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
            words = json.loads(value[value.index("[") :])
            assert words and all(isinstance(word, str) for word in words)
    stages = [value for name, value in steps if name == "FROM"]
    assert all(re.fullmatch(r"python:3\.12-slim( AS \w+)?", stage) for stage in stages)


def test_what_is_copied_reaches_the_build_and_is_all_that_the_wheel_needs(steps):
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    let_through = {line[1:] for line in lines if line.startswith("!")}
    sources = {
        source
        for name, value in steps
        if name == "COPY" and not value.startswith("--from")
        for source in value.split()[:-1]
    }
    assert sources == let_through and all((ROOT / source).exists() for source in sources)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {project["readme"], *project["license-files"], "voxcycle"} <= sources


def test_what_a_stage_takes_from_another_is_made_there(steps):
    text = "\n".join(f"{name} {value}" for name, value in steps)
    for stage, path in re.findall(r"^COPY --from=(\w+) (\S+)", text, re.MULTILINE):
        before = text[: text.index(f"--from={stage}")]
        assert f" AS {stage}\n" in before and path in before


def test_it_runs_without_privileges_and_keeps_voices(steps):
    last = {name: value for name, value in steps}  # the last of each, of the final stage
    assert last["USER"] == "voxcycle"
    created = next(value for name, value in reversed(steps) if name == "RUN")
    volume = PurePosixPath(last["VOLUME"])
    assert str(volume) in created and f"--owner={last['USER']}" in created
    assert f"VOXCYCLE_DATA={volume.parent}" in last["ENV"].split() and volume.name == "voices"
    assert last["WORKDIR"] in created.split()


def test_the_health_check_is_a_command_of_ours(steps):
    (check,) = [value for name, value in steps if name == "HEALTHCHECK"]
    program, name, *options = json.loads(check[check.index("[") :])
    command = typer.main.get_command(app).commands[name]
    assert program == "voxcycle"
    assert set(options) <= {option for p in command.params for option in p.opts}
