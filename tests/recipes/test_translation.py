"""The recipes of translation, a few steps on made-up images: what they write, not how good."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voxcycle.data.images import ImageSet
from voxcycle.evaluation.gates import Result

FACTORS = ("skin", "accessory", "hair")


def make_images(value: int, n: int = 8) -> ImageSet:
    rng = np.random.default_rng(value)
    pixels = rng.integers(256, size=(n, 3, 32, 32)).astype(np.uint8)
    labels = np.stack([np.full(n, value), np.full(n, value), rng.integers(3, size=n)], 1)
    return ImageSet(pixels, labels, FACTORS)


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, train_judge: Callable[[Path, Path], None]
) -> Path:
    """Domains of every recipe, and a judge that knows nothing."""
    root = tmp_path_factory.mktemp("lecture")
    for name in ("edges", "skin", "sunglasses", "flags"):
        for split in ("train", "test"):
            for value, side in enumerate("AB"):
                make_images(value, 16).save(root / name / f"{split}{side}.npz")
    avatars = root / "avatars" / "train.npz"
    make_images(1, 16).save(avatars)
    train_judge(avatars, root / "out")
    return root


@pytest.mark.parametrize(
    ("name", "n_gates", "picture"),
    [
        ("pix2pix", 13, "rows.png"),
        ("cyclegan", 14, "ways.png"),
        ("cyclegan_sunglasses", 8, "ways.png"),
        ("cyclegan_flags", 8, "ways.png"),
    ],
)
def test_a_recipe_measures_draws_and_says_whether_its_gates_hold(
    name: str, n_gates: int, picture: str, folder: Path, run_recipe: Callable[..., Result]
) -> None:
    words = ["steps=2", "width=2", "judge_widths=[2, 2]", "threads=1"]
    result = run_recipe(name, folder, folder / "out", *words)
    assert (result.n_steps, len(result.gates), list(result.pictures)) == (2, n_gates, [picture])
    held = [gate for gate in result.gates if gate.bound is not None]
    assert not held or not all(gate.holds for gate in held)  # two steps do not reach every gate
