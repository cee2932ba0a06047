"""Scripts of egs/images as modules."""

import sys
from pathlib import Path

import pytest

LECTURE = Path(__file__).parents[2] / "egs" / "images"


@pytest.fixture
def lecture(monkeypatch):
    """Let tests import the scripts of egs/images, and give their folder."""
    monkeypatch.syspath_prepend(str(LECTURE))
    for script in LECTURE.glob("*.py"):
        monkeypatch.delitem(sys.modules, script.stem, raising=False)
    return LECTURE
