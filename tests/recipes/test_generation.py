"""The recipes of autoencoders and GANs: what they write, and what their bounds must refuse."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from voxcycle.evaluation.stats.bounds import Result
from voxcycle.images.image_set import ImageSet, load_images


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
    train_classifier: Callable[..., None],
    run_recipe: Callable[..., Result],
) -> None:
    if judged is not None:
        train_classifier(data / judged / "train.npz", tmp_path)
    result = run_recipe(name, data, tmp_path, *settings, "width=4", "batch_size=8", "threads=1")
    assert f"steps={result.n_steps}" == settings[0]
    assert all(np.isfinite(bound.value) for bound in result.bounds)


def make_blobs(n: int, seed: int) -> ImageSet:
    """Return blobs of two sizes and three colours, anywhere on black."""
    rng = np.random.default_rng(seed)
    labels = rng.integers([2, 3], size=(n, 2))
    places = rng.uniform(4, 12, size=(n, 2, 1, 1))
    size = 6.0 + 8 * labels[:, 0]
    distances = ((np.mgrid[:16, :16] - places) ** 2).sum(1) / size[:, None, None]
    colours = (0.3 + 0.7 * np.eye(3))[labels[:, 1]]
    pixels = 255 * colours[:, :, None, None] * np.exp(-distances)[:, None]
    return ImageSet(pixels.astype(np.uint8), labels, ("size", "colour"))


def failed(result: Result) -> set[str]:
    return {bound.name for bound in result.bounds if not bound.holds}


@pytest.mark.slow
def test_an_autoencoder_is_better_than_components_and_an_untrained_one_is_not(
    tmp_path: Path, run_recipe: Callable[..., Result]
) -> None:
    """Six numbers and bent ways between them: components need many."""
    for split, n in (("train", 1_000), ("test", 200)):
        make_blobs(n, n).save(tmp_path / "fashion" / f"{split}.npz")

    def run(steps: int) -> Result:
        settings = (f"steps={steps}", "width=100", "batch_size=50", "threads=1")
        out = tmp_path / f"out{steps}"
        return run_recipe("autoencoder", tmp_path, out, *settings, WIDTHS=(4, 8), SHOWN=4)

    assert not failed(run(1_500))
    assert failed(run(1)) == {"MSE, code of 4", "MSE, code of 8"}


@pytest.mark.slow
def test_ten_images_repeated_are_refused_and_real_ones_are_not(
    tmp_path: Path, train_classifier: Callable[..., None], run_recipe: Callable[..., Result]
) -> None:
    """What the generator draws is replaced; its few steps do not count."""
    train = tmp_path / "avatars" / "train.npz"
    make_blobs(1_000, 0).save(train)
    make_blobs(400, 1).save(tmp_path / "avatars" / "test.npz")
    train_classifier(train, tmp_path, steps=400)
    held_out = make_blobs(400, 2).images()

    def run(images: Tensor) -> Result:
        settings = ("steps=20", "width=4", "batch_size=8", "n_latent=4", "threads=1")
        return run_recipe("gan", tmp_path, tmp_path, *settings, draw=lambda *_: images)

    assert not failed(run(held_out))
    assert failed(run(held_out[:10].repeat(40, 1, 1, 1))) == {"domain FID", "recall"}
    assert failed(run(load_images(train).images(slice(400)))) == {"of a generated one"}  # copied
