"""The recipes of disentanglement, debiasing and outliers run, on few and small images."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from voxcycle.data.images import ImageSet
from voxcycle.data.shapes import draw_shapes
from voxcycle.evaluation.gates import Result

ROOT = Path(__file__).parents[2]


def save_random(path: Path, shape: tuple[int, ...], labels: np.ndarray, *factors: str) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (len(labels), *shape), dtype=np.uint8)
    ImageSet(pixels, labels.astype(np.int64).reshape(len(labels), -1), factors).save(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sets of egs/lecture/prepare.py, with noise for images, and few of them."""
    folder = tmp_path_factory.mktemp("data")
    for split in ("train", "test"):
        save_random(folder / f"fashion/{split}.npz", (1, 28, 28), np.arange(200) % 10, "class")
        kinds = np.array([[1, 0]] * 30 + [[1, 1]] * 3 + [[0, 0]] * 30)
        save_random(folder / f"biased/{split}.npz", (3, 32, 32), kinds, "face", "dark")
    save_random(folder / "digits/all.npz", (1, 28, 28), np.arange(40) % 10, "class")
    draw_shapes().subset(np.arange(0, 3072, 7)).save(folder / "shapes" / "train.npz")
    return folder


@pytest.mark.parametrize("name", ["outliers", "beta_vae", "debiasing_vae"])
def test_recipe_writes_its_result_and_pictures(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = str(ROOT / "recipes" / "lecture" / f"{name}.py")
    settings = ["steps=2", "batch_size=16", "width=8", "threads=1"]
    monkeypatch.setattr(sys, "argv", [recipe, str(data), str(tmp_path), *settings])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(recipe, run_name="__main__")
    result = Result.load(tmp_path / name)
    assert caught.value.code == (0 if all(gate.holds for gate in result.gates) else 1)
    assert (result.system, result.n_steps) == (name, 2)
    assert result.command.endswith("DATA OUT " + " ".join(settings))
    assert all(np.isfinite(gate.value) for gate in result.gates)
    for picture in result.pictures:
        assert (tmp_path / name / picture).read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / name / "result.json").read_text())["machine"]
