"""The recipes of translation, a few steps on made-up images: what they write, not how good."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from voxcycle.data.images import ImageSet
from voxcycle.training.lecture import train_lecture
from voxcycle.training.lecture_config import ClassifierConfig

ROOT = Path(__file__).parents[2]
FACTORS = ("skin", "accessory", "hair")


def make_images(value: int, n: int = 8) -> ImageSet:
    rng = np.random.default_rng(value)
    pixels = rng.integers(256, size=(n, 3, 32, 32)).astype(np.uint8)
    labels = np.stack([np.full(n, value), np.full(n, value), rng.integers(3, size=n)], 1)
    return ImageSet(pixels, labels, FACTORS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Domains of every recipe, and a judge that knows nothing."""
    root = tmp_path_factory.mktemp("lecture")
    for name in ("edges", "skin", "sunglasses", "flags"):
        for split in ("train", "test"):
            for value, side in enumerate("AB"):
                make_images(value, 16).save(root / name / f"{split}{side}.npz")
    config = ClassifierConfig(
        data=root / "skin" / "trainB.npz",
        out=root / "out" / "classifier" / "avatars",
        steps=1, width=2, batch_size=4, threads=1,
    )  # fmt: skip
    n_threads = torch.get_num_threads()
    train_lecture("classifier", config)
    torch.set_num_threads(n_threads)
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
    name: str, n_gates: int, picture: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["steps=2", "width=2", "judge_widths=[2, 2]", "threads=1"]
    monkeypatch.setattr(sys, "argv", [name, str(folder), str(folder / "out"), *words])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "recipes" / "lecture" / f"{name}.py"), run_name="__main__")
    result = json.loads((folder / "out" / name / "result.json").read_text())
    assert (result["system"], result["n_steps"]) == (name, 2)
    assert len(result["gates"]) == n_gates
    assert list(result["pictures"]) == [picture]
    assert (folder / "out" / name / picture).stat().st_size > 1_000
    is_gated = any(gate["bound"] is not None for gate in result["gates"])
    assert ended.value.code == is_gated  # two steps reach no gate; without any, all is well
