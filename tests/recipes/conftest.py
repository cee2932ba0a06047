"""Recipes of the lecture as modules: started by name, they find what lies beside them."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from voxcycle.evaluation.stats.bounds import Result
from voxcycle.images.systems.classifier import ClassifierConfig
from voxcycle.images.train import train_system

RECIPES = Path(__file__).parents[2] / "recipes" / "images"


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let recipes import what lies beside them, as a script does, from any folder."""
    monkeypatch.syspath_prepend(str(RECIPES))
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture
def run_recipe(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a recipe on DATA and OUT with settings, some of its globals replaced.

    Returns its result, whose pictures are there. The exit code must say whether bounds fail, as
    those of networks that learned nothing do.
    """

    def run(name: str, data: Path, out: Path, *settings: str, **replaced: object) -> Result:
        recipe = importlib.import_module(name)
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
            patch.setattr(sys, "argv", [f"{name}.py", str(data), str(out), *settings])
            for key, value in replaced.items():
                patch.setattr(recipe, key, value)
            recipe.main()
        assert isinstance(ended.value.code, int), ended.value.code
        result = Result.load(out / name)
        assert ended.value.code == (0 if all(bound.holds for bound in result.bounds) else 1)
        assert result.system == name and result.machine
        assert result.command.endswith(" ".join(["DATA OUT", *settings]))
        assert {path.name for path in (out / name).glob("*.png")} == set(result.pictures) != set()
        for picture in result.pictures:
            assert (out / name / picture).read_bytes().startswith(b"\x89PNG")
        return result

    return run


@pytest.fixture(scope="session")
def train_classifier() -> Callable[..., None]:
    """Briefly train a classifier of the set at a path, which a recipe with this OUT uses."""

    def train(data: Path, out: Path, steps: int = 2) -> None:
        config = ClassifierConfig(
            data=data, out=out / "classifier" / data.parent.name, steps=steps, width=4,
            batch_size=8, threads=1,
        )  # fmt: skip
        train_system("classifier", config)

    return train
