"""The recipes of autoencoders and GANs, a few steps on noise: what they write, not how good."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voxcycle.data.images import ImageSet
from voxcycle.evaluation.gates import Result


def save_noise(path: Path, n: int, shape: tuple[int, int, int], factor: str) -> None:
    rng = np.random.default_rng(n)
    pixels = rng.integers(256, size=(n, *shape)).astype(np.uint8)
    ImageSet(pixels, np.arange(n)[:, None] % 10, (factor,)).save(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clothes for the 1,000 images whose bound the VAE's recipe takes, and small faces."""
    folder = tmp_path_factory.mktemp("data")
    for split, n in (("train", 100), ("test", 1_000)):
        save_noise(folder / "fashion" / f"{split}.npz", n, (1, 28, 28), "class")
    for split, n in (("train", 60), ("test", 40)):
        save_noise(folder / "avatars" / f"{split}.npz", n, (3, 16, 16), "skin")
    return folder


@pytest.mark.parametrize(
    ("name", "judged", "settings"),
    [
        ("autoencoder", None, ["steps=2"]),
        ("vae", None, ["steps=2"]),
        ("gan_ring", None, ["steps=20"]),  # five different parts of the way
        ("gan", "avatars", ["steps=20", "n_latent=4"]),
        ("conditional_gan", "fashion", ["steps=2", "n_latent=4"]),
    ],
)
def test_recipe_writes_its_result_and_pictures(
    name: str,
    judged: str | None,
    settings: list[str],
    data: Path,
    tmp_path: Path,
    train_judge: Callable[[Path, Path], None],
    run_recipe: Callable[..., Result],
) -> None:
    if judged is not None:
        train_judge(data / judged / "train.npz", tmp_path)
    result = run_recipe(name, data, tmp_path, *settings, "width=4", "batch_size=8", "threads=1")
    assert f"steps={result.n_steps}" == settings[0]
    assert all(np.isfinite(gate.value) for gate in result.gates)
