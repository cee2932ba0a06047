"""Scripts of egs/images and egs/real as modules."""

import importlib
import sys
from pathlib import Path

import pytest

EGS = Path(__file__).parents[2] / "egs"
LECTURE = EGS / "images"


@pytest.fixture
def lecture(monkeypatch):
    """Let tests import the scripts of egs/images, and give their folder."""
    monkeypatch.syspath_prepend(str(LECTURE))
    for script in LECTURE.glob("*.py"):
        monkeypatch.delitem(sys.modules, script.stem, raising=False)
    return LECTURE


@pytest.fixture
def load_script(monkeypatch):
    """Import a script of egs/real, whose name others may have too."""

    def load(name):
        monkeypatch.syspath_prepend(str(EGS / "real"))
        for script in (EGS / "real").glob("*.py"):
            monkeypatch.delitem(sys.modules, script.stem, raising=False)
        return importlib.import_module(name)

    return load
