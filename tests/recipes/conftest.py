"""Recipes of the lecture as modules: started by name, they find what lies beside them."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let recipes import what lies beside them, as a script does, from any folder."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "recipes" / "lecture"))
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
