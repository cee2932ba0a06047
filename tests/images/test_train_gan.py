from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from voxcycle.cli import main
from voxcycle.images.image_files import read_image
from voxcycle.images.image_set import ImageSet, load_images
from voxcycle.images.systems.gan import GANConfig
from voxcycle.images.systems.gan_ring import RingGANConfig
from voxcycle.images.systems.system import SystemConfig
from voxcycle.images.train import load_model, train_system


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lying and upright bars of any brightness, with two factors."""
    rng = np.random.default_rng(0)
    pixels = np.zeros((256, 1, 8, 8), np.uint8)
    upright = np.arange(256) % 2
    for image, turned in zip(pixels, upright, strict=True):
        image[0, 3:5] = rng.integers(128, 256)
        image[0] = image[0].T if turned else image[0]
    labels = np.stack([rng.integers(3, size=256), upright], 1)
    path = tmp_path_factory.mktemp("bars") / "train.npz"
    ImageSet(pixels, labels, ("chance", "upright")).save(path)
    return path


def settings(name: str, bars: Path, out: Path, n_steps: int) -> SystemConfig:
    common = {"out": out, "steps": n_steps, "batch_size": 16, "width": 8, "n_latent": 4,
              "threads": 1, "log_every": 1, "seed": 3}  # fmt: skip
    if name == "gan_ring":
        return RingGANConfig(**common)
    return GANConfig(data=bars, condition="upright" if name == "conditional" else None, **common)


@pytest.mark.parametrize("name", ["gan_ring", "gan", "conditional"])
def test_stopping_and_going_on_changes_nothing(name: str, bars: Path, tmp_path: Path) -> None:
    method = "gan_ring" if name == "gan_ring" else "gan"
    whole = train_system(method, settings(name, bars, tmp_path / "whole", 5))
    train_system(method, settings(name, bars, tmp_path / "parts", 2))
    parts = train_system(method, settings(name, bars, tmp_path / "parts", 5), resume=True)
    assert parts.n_steps == whole.n_steps == 5
    expected = load_file(whole.path)
    for key, value in load_file(parts.path).items():
        torch.testing.assert_close(value, expected[key], rtol=0, atol=0, msg=key)


@pytest.mark.parametrize("name", ["gan_ring", "gan", "conditional"])
def test_a_model_file_draws_what_the_training_draws(name: str, bars: Path, tmp_path: Path) -> None:
    method = "gan_ring" if name == "gan_ring" else "gan"
    trained = train_system(method, settings(name, bars, tmp_path / "run", 2))
    loaded = load_model(trained.path)
    assert (loaded.name, loaded.steps) == (method, 2)
    noise = torch.randn(6, 4)
    with torch.no_grad():
        torch.testing.assert_close(loaded.method.sample(noise), trained.method.sample(noise))
    assert loaded.method.n_classes == (2 if name == "conditional" else 0)


@pytest.mark.parametrize("name", ["gan_ring", "gan"])
def test_a_model_file_has_the_averaged_generator(name: str, bars: Path, tmp_path: Path) -> None:
    path = train_system(name, settings(name, bars, tmp_path / "run", 5)).path
    kept = torch.load(path.with_name("last.ckpt"), weights_only=True)
    own = {key: x for key, x in load_file(path).items() if key.startswith("generator.")}
    for key, value in own.items():
        assert torch.equal(value, kept["ema"]["module." + key.removeprefix("generator.")]), key
    assert any(not torch.equal(value, kept["method"][key]) for key, value in own.items())


def test_unknown_conditions_are_refused(bars: Path, tmp_path: Path) -> None:
    config = GANConfig(data=bars, out=tmp_path / "a", condition="colour")
    with pytest.raises(ValueError, match="known are chance, upright"):
        train_system("gan", config)
    holed = ImageSet(
        np.zeros((16, 1, 8, 8), np.uint8), np.array([[-1], [0]] * 8, np.int64), ("class",)
    )
    holed.save(tmp_path / "holed.npz")
    config = GANConfig(data=tmp_path / "holed.npz", out=tmp_path / "b", condition="class")
    with pytest.raises(ValueError, match="not every image has a class"):
        train_system("gan", config)


def test_the_command_draws_the_class_that_is_asked_for(
    bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = train_system("gan", settings("conditional", bars, tmp_path / "run", 3)).path

    def sample(*words: str) -> int:
        out = str(tmp_path / "out.png")
        with pytest.raises(SystemExit) as left:
            main(["images", "sample", str(path), "-o", out, "--n", "1", *words])
        return int(left.value.code or 0)

    pictures = []
    for words in ((), ("--label", "0"), ("--label", "1")):
        assert sample(*words) == 0
        pictures.append(read_image(tmp_path / "out.png").astype(int))
    np.testing.assert_array_equal(pictures[0], pictures[1])  # in turn, beginning with the first
    assert np.abs(pictures[1] - pictures[2]).max() > 0
    capsys.readouterr()
    assert sample("--label", "2") == 2
    assert "--label: no '2': there are 0, 1" in capsys.readouterr().err


def share_obeyed(data: Path, out: Path) -> float:
    """Return for how many samples of a conditional GAN the bars lie as requested."""
    config = GANConfig(
        data=data, out=out, condition="upright", steps=400, batch_size=64, width=8, n_latent=4,
        lr=1e-3, ema_decay=0.98, threads=1, log_every=100,
    )  # fmt: skip
    method = train_system("gan", config).method
    labels = torch.arange(200) % 2
    noise = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        images: Tensor = method.sample(noise, labels)
    # an upright bar varies along x, a lying one along y
    is_upright = images.mean((1, 2)).std(1) > images.mean((1, 3)).std(1)
    return float((is_upright == labels.bool()).float().mean())


@pytest.mark.slow
def test_labels_are_obeyed_and_shuffled_ones_are_not(bars: Path, tmp_path: Path) -> None:
    """The bound of the conditional recipe, and what it must fail."""
    assert share_obeyed(bars, tmp_path / "told") >= 0.8
    images = load_images(bars)
    shuffled = np.random.default_rng(0).permutation(images.labels)
    ImageSet(images.pixels, shuffled, images.factors).save(tmp_path / "shuffled.npz")
    assert share_obeyed(tmp_path / "shuffled.npz", tmp_path / "untold") < 0.65
