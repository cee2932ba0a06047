"""The documentation: commands exist, links hold, and the site fetches nothing from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from voxcycle.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("egs/*/README.md")])
GUIDES = sorted(ROOT.glob("docs/*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_hold_in_a_plain_view_of_the_repository(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s#]+)[^)]*\)", text)
    broken = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert not broken


def find_command(words):
    """Return the command that the words begin with, and the words after it."""
    command = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_commands_have_the_options_that_guides_name(page):
    text = page.read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"```console\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    for line in re.findall(r"^(?:\$ )?voxcycle (\S.*)$", blocks, re.MULTILINE):
        named, *_ = words = line.split(" #")[0].split()
        command, words = find_command(words)
        known = {name for parameter in command.params for name in parameter.opts}
        assert named not in words, f"{line}: no such command"
        assert {word for word in words if re.match("--?[a-z]", word)} <= known, line


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built as strictly as `make docs` builds it."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", folder]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_fetches_nothing_from_other_hosts(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        html = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]*\ssrc=\"?([^\"\s>]+)", html)
        loaded += re.findall(r"<link[^>]*\shref=\"?([^\"\s>]+)", html)
        assert not [url for url in loaded if re.match("https?:|//", url)], page
    for style in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", style.read_text()), style


def test_equations_pictures_and_docstrings_are_on_their_pages(site):
    method = (site / "docs/method.html").read_text(encoding="utf-8")
    assert method.count("<math") > 20 and "$" not in re.sub("<(script|math).*?</", "", method)
    assert {"docs/conversion.svg", "docs/training.svg"} <= {
        path.relative_to(site).as_posix() for path in site.glob("docs/*.svg")
    }
    api = (site / "docs/api.html").read_text(encoding="utf-8")
    for name in ("conversion.pipeline.convert", "speech.train_voice.train_voice"):
        assert f'id="voxcycle.{name}"' in api
    assert "clipped throughout or not" in api  # of a docstring
