"""`train_system` and the model file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from voxcycle.artifacts import ArtifactError
from voxcycle.images.image_set import ImageSet, load_images
from voxcycle.images.systems.autoencoder import AutoencoderConfig, VAEConfig
from voxcycle.images.systems.classifier import ClassifierConfig
from voxcycle.images.train import MODEL_FILE, load_model, resolve_config, train_system


def save_images(path: Path, n: int = 20, shape: tuple[int, int, int] = (3, 8, 8)) -> Path:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (n, *shape), dtype=np.uint8)
    labels = np.stack([np.arange(n) % 3, np.arange(n) % 2], 1).astype(np.int64)
    ImageSet(pixels, labels, ("colour", "form")).save(path)
    return path


def vae_config(folder: Path, steps: int = 4, **changed: object) -> VAEConfig:
    data = folder / "images.npz"
    if not data.exists():
        save_images(data)
    values = {"network": "conv", "width": 4, "n_latent": 3, "batch_size": 6, "threads": 1}
    values |= {"data": data, "out": folder / "run", "steps": steps, "log_every": 2}
    return VAEConfig(**(values | changed))


def states(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path / MODEL_FILE)


def assert_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    trained = train_system("vae", vae_config(tmp_path, beta=2.0))
    loaded = load_model(trained.path)
    assert (loaded.name, loaded.shape, loaded.steps) == ("vae", (3, 8, 8), 4)
    assert_equal(trained.method.state_dict(), loaded.method.state_dict())
    assert loaded.method.beta == 2.0 and not loaded.method.training
    assert not any(p.requires_grad for p in loaded.method.parameters())
    noise = torch.randn(5, 3)
    assert torch.equal(trained.method.sample(noise), loaded.method.sample(noise))


@pytest.mark.parametrize(
    ("name", "config"),
    [("autoencoder", AutoencoderConfig), ("vae", VAEConfig), ("classifier", ClassifierConfig)],
)
def test_resuming_equals_going_through(tmp_path: Path, name: str, config: type) -> None:
    """Also over the end of an epoch: 20 images are three batches of 6."""
    common = dict(data=save_images(tmp_path / "images.npz"), width=4, batch_size=6, threads=1)
    if name != "classifier":
        common["network"] = "conv"
    train_system(name, config(out=tmp_path / "through", steps=7, **common))
    train_system(name, config(out=tmp_path / "parts", steps=4, **common))
    train_system(name, config(out=tmp_path / "parts", steps=7, **common), resume=True)
    assert_equal(states(tmp_path / "through"), states(tmp_path / "parts"))


def test_the_seed_is_all_that_chance_has(tmp_path: Path) -> None:
    train_system("vae", vae_config(tmp_path, out=tmp_path / "one"))
    train_system("vae", vae_config(tmp_path, out=tmp_path / "two"))
    train_system("vae", vae_config(tmp_path, out=tmp_path / "other", seed=1))
    assert_equal(states(tmp_path / "one"), states(tmp_path / "two"))
    key = "encoder.0.weight"
    assert not torch.equal(states(tmp_path / "one")[key], states(tmp_path / "other")[key])


def test_a_classifier_knows_the_values_of_its_data(tmp_path: Path) -> None:
    data = save_images(tmp_path / "images.npz")
    config = ClassifierConfig(
        data=data, out=tmp_path / "run", steps=1, batch_size=6, width=4, threads=1
    )
    loaded = load_model(train_system("classifier", config).path)
    assert [head.out_features for head in loaded.method.network.heads] == [3, 2, 2]  # and noise
    images = torch.rand(5, 3, 8, 8) * 2 - 1
    predicted = loaded.method.predict(images)
    assert predicted.shape == (5, 2) and predicted.max() <= 2 and predicted[:, 1].max() <= 1


def test_a_classifier_needs_every_label(tmp_path: Path) -> None:
    images = load_images(save_images(tmp_path / "images.npz"))
    config = ClassifierConfig(data=tmp_path / "changed.npz", out=tmp_path / "run", batch_size=6)
    images.labels[7, 1] = -1
    images.save(config.data)
    with pytest.raises(ValueError, match=r"changed\.npz: not every image has a form"):
        train_system("classifier", config)
    ImageSet(images.pixels, images.labels[:, :0], ()).save(config.data)
    with pytest.raises(ValueError, match=r"changed\.npz: no labels to learn; sort the images"):
        train_system("classifier", config)


def test_what_cannot_be_trained_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no method 'gpt' in the lecture: there are autoencoder"):
        train_system("gpt", vae_config(tmp_path))
    with pytest.raises(ValueError, match="20 images are fewer than batch_size=128"):
        train_system("vae", vae_config(tmp_path, batch_size=128))
    with pytest.raises(ValueError, match="nowhere.*no such folder of images"):
        train_system("vae", vae_config(tmp_path, data=tmp_path / "nowhere"))
    odd = save_images(tmp_path / "odd.npz", shape=(1, 8, 12))
    with pytest.raises(ValueError, match="12 x 8: convolutions need squares"):
        train_system("vae", vae_config(tmp_path, data=odd))
    assert not (tmp_path / "run").exists()  # nothing was begun
    text = tmp_path / "text.npz"
    text.write_text("no images")
    with pytest.raises(ValueError, match="text.npz: not a set of images in .npz"):
        train_system("vae", vae_config(tmp_path, data=text))


def test_runs_are_neither_overwritten_nor_mixed_up(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no checkpoint to resume"):
        train_system("vae", vae_config(tmp_path), resume=True)
    train_system("vae", vae_config(tmp_path))
    with pytest.raises(ValueError, match="holds a training already"):
        train_system("vae", vae_config(tmp_path))
    with pytest.raises(ValueError, match="started with n_latent=3, not 5"):
        train_system("vae", vae_config(tmp_path, n_latent=5), resume=True)
    with pytest.raises(ValueError, match="begun with vae, not autoencoder"):
        train_system("autoencoder", vae_config(tmp_path), resume=True)
    with pytest.raises(ValueError, match="begun with vae, not gan"):
        resolve_config("gan", {"out": tmp_path / "run"}, resume=True)
    assert resolve_config("vae", {"out": tmp_path / "run"}, resume=True).n_latent == 3
    with pytest.raises(ValueError, match="checkpoint is damaged or of another run"):
        (tmp_path / "run" / "last.ckpt").write_bytes(b"nothing")
        train_system("vae", vae_config(tmp_path, steps=9), resume=True)


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = train_system("vae", vae_config(tmp_path)).path
    whole = path.read_bytes()
    damaged = tmp_path / "damaged.safetensors"
    for content in (b"", whole[:100], whole[:-100], b"x" + whole[1:]):
        damaged.write_bytes(content)
        with pytest.raises(ValueError, match="damaged.safetensors: no image model file"):
            load_model(damaged)
    with pytest.raises(ArtifactError, match="missing.safetensors: no such file"):
        load_model(tmp_path / "missing.safetensors")
    save_file({"weight": torch.ones(2)}, damaged)  # of another program
    with pytest.raises(ValueError, match="image model"):
        load_model(damaged)
    header = path.read_bytes().replace(b'\\"format_version\\": 3', b'\\"format_version\\": 9')
    damaged.write_bytes(header)
    with pytest.raises(ValueError, match="format 9, this voxcycle reads up to 3"):
        load_model(damaged)
    header = path.read_bytes().replace(b'\\"n_latent\\": 3', b'\\"n_latent\\": 4')
    damaged.write_bytes(header)  # weights of other shapes than the settings say
    with pytest.raises(ValueError, match="image model"):
        load_model(damaged)
