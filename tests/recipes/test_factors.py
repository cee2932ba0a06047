"""The recipes of disentanglement, debiasing and outliers run, on few and small images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voxcycle.evaluation.stats.bounds import Result
from voxcycle.images.image_set import ImageSet
from voxcycle.images.shapes import draw_shapes


def save_random(path: Path, shape: tuple[int, ...], labels: np.ndarray, *factors: str) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (len(labels), *shape), dtype=np.uint8)
    ImageSet(pixels, labels.astype(np.int64).reshape(len(labels), -1), factors).save(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sets of egs/images/prepare.py, with noise for images, and few of them."""
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
    name: str, data: Path, tmp_path: Path, run_recipe: Callable[..., Result]
) -> None:
    settings = ["steps=2", "batch_size=16", "width=8", "threads=1"]
    result = run_recipe(name, data, tmp_path, *settings)
    assert result.n_steps == 2
    assert all(np.isfinite(bound.value) for bound in result.bounds)
