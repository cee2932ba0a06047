"""Both recipes from end to end on random squares, with networks that learn nothing in time."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from voxcycle.data.images import ImageSet
from voxcycle.evaluation.gates import Result
from voxcycle.training.lecture import train_lecture
from voxcycle.training.lecture_config import ClassifierConfig

FACTORS = ("skin", "hair", "hair colour", "clothes colour")
SETTINGS = ["threads=1", "batch_size=4", "width=2", "max_width=4", "steps=9"]


def make_faces(path: Path, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(256, size=(n, 3, 32, 32)).astype(np.uint8)
    ImageSet(pixels, rng.integers(3, size=(n, len(FACTORS))), FACTORS).save(path)


def start_recipe(name: str, data: Path, out: Path, *settings: str) -> object:
    """Return what the recipe exits with."""
    path = Path(__file__).parents[2] / "recipes" / "lecture" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "argv", [str(path), str(data), str(out), *SETTINGS, *settings])
        recipe.main()
    return ended.value.code


def run_recipe(name: str, data: Path, out: Path, *settings: str) -> Result:
    code = start_recipe(name, data, out, *settings)
    result = Result.load(out / name)
    assert code == (0 if all(gate.holds for gate in result.gates) else 1)
    assert all((out / name / picture).is_file() for picture in result.pictures)
    return result


@pytest.mark.slow
def test_stylegan_is_held_against_what_the_growing_one_left(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    make_faces(data / "avatars" / "train.npz", 60, 0)
    make_faces(data / "avatars" / "test.npz", 40, 1)
    judge = ClassifierConfig(
        data=data / "avatars" / "train.npz", out=out / "classifier" / "avatars", steps=3,
        batch_size=16, width=4, threads=1,
    )  # fmt: skip
    train_lecture("classifier", judge)

    assert "progressive_gan.py first" in str(start_recipe("stylegan", data, out))

    settings = ("fade_steps=1", "stable_steps=1")
    first = {g.name: g.value for g in run_recipe("progressive_gan", data, out, *settings).gates}
    again = {g.name: g.value for g in run_recipe("progressive_gan", data, out, *settings).gates}
    assert first == again  # what is trained already is used
    fid = first["growing, seed 0"]
    assert first["stage of 32 x 32"] == pytest.approx(fid)
    assert first["test images brought to 32 x 32"] == pytest.approx(0, abs=1e-6)

    second = {g.name: g for g in run_recipe("stylegan", data, out).gates}
    assert second["Progressive GAN"].value > 0
    assert second["StyleGAN"].bound == pytest.approx(1.1 * second["Progressive GAN"].value)
