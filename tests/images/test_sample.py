"""What trained models are used for, on models of one step."""

import numpy as np
import pytest
import torch

from voxcycle.images.image_files import draw_grid, read_image
from voxcycle.images.image_set import ImageSet
from voxcycle.images.sample import draw_samples, draw_walks, walk_latents
from voxcycle.images.systems import SYSTEMS
from voxcycle.images.train import load_model, train_system
from voxcycle.methods.stylegan import NOISE_SEED

NETWORKS = {
    "vae": {"network": "conv"},
    "gan": {},
    "conditional gan": {"condition": "form"},
    "named gan": {"condition": "form"},  # the same, and its classes have names
    "progressive_gan": {"max_width": 4},
    "stylegan": {"max_width": 4},
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A model file of each kind, with three latents."""
    folder = tmp_path_factory.mktemp("models")
    pixels = np.random.default_rng(0).integers(0, 256, (8, 3, 8, 8), dtype=np.uint8)
    labels = np.arange(8).reshape(-1, 1) % 3
    common = {"steps": 1, "batch_size": 8, "width": 4, "n_latent": 3, "threads": 1}
    paths = {}
    for name, own in NETWORKS.items():
        data, method = folder / f"{name}.npz", name.split()[-1]
        names = {"form": ("2", "dogs", "cats")} if name == "named gan" else {}
        ImageSet(pixels, labels, ("form",), names).save(data)
        config = SYSTEMS[method](data=data, out=folder / name, **common, **own)
        paths[name] = train_system(method, config).path
    return paths


def test_a_row_of_a_walk_moves_one_latent():
    rows = walk_latents(lambda z: z, torch.tensor([5.0, 6.0, 7.0]), 2.0, n_values=3, n_rows=2)
    assert [row.tolist() for row in rows] == [
        [[-2, 6, 7], [0, 6, 7], [2, 6, 7]],
        [[5, -2, 7], [5, 0, 7], [5, 2, 7]],
    ]
    assert len(walk_latents(lambda z: z, torch.zeros(3), 2.0)) == 3


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "named gan"])
def test_walks_of_any_model_that_draws(name, models, tmp_path):
    draw_walks(models[name], tmp_path / "walk.png", reach=1.5, n_rows=2)
    method = load_model(models[name]).method
    if name == "vae":
        start, decode = torch.zeros(3), method.decode
    else:
        start = torch.randn(1, 3, generator=torch.Generator().manual_seed(0))[0]
        decode = {
            "conditional": lambda z: method.sample(z, torch.zeros(11, dtype=torch.long)),
            "stylegan": lambda z: method.synthesize(method.map(z)),  # one noise for all
        }.get(name.split()[0], method.sample)
    with torch.no_grad():
        rows = walk_latents(decode, start, 1.5)[:2]
    draw_grid(tmp_path / "expected.png", rows, ["z1", "z2"])
    found, expected = (read_image(tmp_path / f"{x}.png") for x in ("walk", "expected"))
    np.testing.assert_array_equal(found, expected)


def test_walks_that_cannot_be(models, tmp_path):
    with pytest.raises(ValueError, match="method stylegan cannot encode an image"):
        draw_walks(models["stylegan"], tmp_path / "a.png", image=tmp_path / "b.png")
    config = SYSTEMS["gan_ring"](out=tmp_path / "ring", steps=1, batch_size=8, width=4, threads=1)
    with pytest.raises(ValueError, match="method gan_ring draws points, not images"):
        draw_walks(train_system("gan_ring", config).path, tmp_path / "a.png")


def test_classes_are_asked_for_by_name_and_by_number(models, tmp_path):
    named, unnamed = models["named gan"], models["conditional gan"]

    def draw(path, label=None):
        draw_samples(path, tmp_path / "a.png", n=1, label=label)
        return (tmp_path / "a.png").read_bytes()

    dogs, one, also_one, cats, two = (draw(named, x) for x in ("dogs", 1, "1", "cats", "2"))
    assert dogs == one == also_one != cats
    assert two == draw(unnamed, "0") != cats  # what is called 2 is number 0
    assert draw(unnamed) == two != draw(unnamed, "1")  # in turn, beginning with the first
    with pytest.raises(ValueError, match="model.safetensors: --label: no 'cat': there are 2, dogs"):
        draw(named, "cat")
    with pytest.raises(ValueError, match="--label: no 'dogs': there are 0, 1, 2"):
        draw(unnamed, "dogs")
    with pytest.raises(ValueError, match="--label 0, but the model has no classes"):
        draw(models["vae"], "0")


def test_truncation_draws_styles_to_their_mean(models, tmp_path):
    method = load_model(models["stylegan"]).method
    noise = torch.randn(4, 3, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        w = method.map(noise)
        drawn = torch.Generator().manual_seed(NOISE_SEED)
        inputs = torch.randn(4, method.noise.shape[1], generator=drawn)
        styles = {"all": w, "half": 0.5 * w + 0.5 * method.mean_style}
        styles["none"] = method.mean_style.expand(4, -1)
        for name, some in styles.items():
            draw_grid(tmp_path / f"{name}.png", method.synthesize(some, inputs).split(2))
    for name, psi in (("all", 1.0), ("half", 0.5), ("none", 0.0)):
        draw_samples(models["stylegan"], tmp_path / "a.png", n=4, seed=7, truncation=psi)
        found, expected = (read_image(tmp_path / f"{x}.png").astype(int) for x in ("a", name))
        assert np.abs(found - expected).max() <= 1  # another order of the same sums
    with pytest.raises(ValueError, match="a model of the method gan has no --truncation"):
        draw_samples(models["gan"], tmp_path / "a.png", truncation=0.7)
