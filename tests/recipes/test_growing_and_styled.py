"""Both recipes from end to end on random squares, with networks that learn nothing in time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voxcycle.evaluation.stats.bounds import Result
from voxcycle.images.image_set import ImageSet

FACTORS = ("skin", "hair", "hair colour", "clothes colour")
SETTINGS = ("threads=1", "batch_size=4", "width=2", "max_width=4", "steps=9")


def make_faces(path: Path, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(256, size=(n, 3, 32, 32)).astype(np.uint8)
    ImageSet(pixels, rng.integers(3, size=(n, len(FACTORS))), FACTORS).save(path)


def test_stylegan_is_held_against_what_the_growing_one_left(
    tmp_path: Path,
    train_classifier: Callable[..., None],
    start_recipe: Callable[..., object],
    run_recipe: Callable[..., Result],
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    make_faces(data / "avatars" / "train.npz", 60, 0)
    make_faces(data / "avatars" / "test.npz", 40, 1)
    train_classifier(data / "avatars" / "train.npz", out)

    assert "progressive_gan.py first" in str(start_recipe("stylegan", data, out, *SETTINGS))

    growing = ("progressive_gan", data, out, *SETTINGS, "fade_steps=1", "stable_steps=1")
    first, again = ({g.name: g.value for g in run_recipe(*growing).bounds} for _ in range(2))
    assert first == again  # what is trained already is used
    fid = first["growing, seed 0"]
    assert first["stage of 32 x 32"] == pytest.approx(fid)
    assert first["test images brought to 32 x 32"] == pytest.approx(0, abs=1e-6)

    second = {g.name: g for g in run_recipe("stylegan", data, out, *SETTINGS).bounds}
    assert second["Progressive GAN"].value > 0
    assert second["StyleGAN"].bound == pytest.approx(1.1 * second["Progressive GAN"].value)
