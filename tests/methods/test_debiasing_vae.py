from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from voxcycle.images.batches import FaceBatches
from voxcycle.images.image_set import ImageSet, load_images
from voxcycle.images.systems.debiasing_vae import DebiasingVAEConfig
from voxcycle.images.train import load_model, train_system
from voxcycle.losses.elbo import kl_to_standard_normal
from voxcycle.methods.batches import FaceBatch
from voxcycle.methods.debiasing_vae import DebiasingVAE, effective_sample_size, resampling_weights
from voxcycle.models.coders import build_decoder, build_encoder

SHAPE = (1, 8, 8)


def make_method(**changed):
    torch.manual_seed(0)
    encoder, decoder = build_encoder("mlp", SHAPE, 8, 5), build_decoder("mlp", SHAPE, 8, 2)
    return DebiasingVAE(encoder, decoder, 2, **changed)


def make_batch(step=0, n_faces=30):
    generator = torch.Generator().manual_seed(3)
    faces = torch.randint(0, 256, (n_faces, *SHAPE), generator=generator, dtype=torch.uint8)
    others = torch.rand(4, *SHAPE, generator=generator) * 2 - 1
    return FaceBatch(faces, others, step, seed=5 + step)


def drawn_faces(method, batch):
    """Return what the step saw as faces."""
    seen = []
    hook = method.encoder.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    method.losses(batch, {})
    hook.remove()
    return seen[-1][: len(batch.others)]


def test_terms_by_their_definitions():
    method, batch = make_method(rule=None), make_batch()
    faces = drawn_faces(method, batch)
    torch.manual_seed(0)
    terms = method.losses(batch, {})
    logits = method.encoder(torch.cat([faces, batch.others]))[:, 0]
    p = logits.sigmoid()
    expected = -(p[:4].log().sum() + (1 - p[4:]).log().sum()) / 8
    assert terms["classification"].item() == pytest.approx(expected.item(), rel=1e-5)
    _, mu, log_var = method.heads(faces)
    kl = kl_to_standard_normal(mu, log_var).sum() / 8  # non-faces have none
    assert terms["kl"].item() == pytest.approx(kl.item(), rel=1e-5)
    # with means as they are and no noise, the error is the plain reconstruction's
    with torch.no_grad():
        method.encoder[3].weight[3:] = 0
        method.encoder[3].bias[3:] = -60  # log variances
        found = method.losses(batch, {})["reconstruction"].item()
        error = ((method.reconstruct(faces) - faces) / 2).abs().mean().item() / 2
    assert found == pytest.approx(error, rel=1e-5)


def test_only_faces_reach_the_decoder_and_the_latents():
    method, batch = make_method(rule=None), make_batch()
    others = batch.others.clone().requires_grad_()
    terms = method.losses(batch._replace(others=others), {})
    (terms["reconstruction"] + terms["kl"]).backward(retain_graph=True)
    assert others.grad is None or others.grad.abs().sum() == 0
    terms["classification"].backward()
    assert others.grad is not None and others.grad.abs().sum() > 0


def test_faces_are_drawn_by_their_weights_and_a_step_moves_all(find_unmoved):
    method = make_method(rule=None)
    method.set_extra_state(torch.eye(30, dtype=torch.double)[17])
    faces = drawn_faces(method, make_batch())
    expected = make_batch().faces[17].float() / 127.5 - 1
    assert torch.equal(faces, expected.expand_as(faces))
    assert find_unmoved(make_method(), make_batch()) == []


def test_faces_are_weighed_when_due_and_batch_norm_stays():
    method = make_method(every=3)
    uniform = torch.full((30,), 1 / 30).double()
    for step in range(3):
        method.losses(make_batch(step), {})
        assert torch.equal(method.face_weights, uniform)
    latents = method.encode(make_batch().faces.float() / 127.5 - 1).detach()
    method.losses(make_batch(3), {})
    assert torch.allclose(method.face_weights, resampling_weights(latents, 1e-3, "max"))
    idle = make_method(rule=None, every=3)
    idle.losses(make_batch(3), {})
    assert torch.equal(idle.face_weights, uniform)
    torch.manual_seed(0)
    encoder, decoder = build_encoder("conv", SHAPE, 4, 5), build_decoder("conv", SHAPE, 4, 2)
    method = DebiasingVAE(encoder, decoder, 2)
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    method.weigh_faces(make_batch().faces)
    assert encoder.training
    assert all(torch.equal(before[key], value) for key, value in encoder.state_dict().items())


def test_batches_need_both_kinds():
    images = ImageSet(np.zeros((9, *SHAPE), np.uint8), np.zeros((9, 0), np.int64), ())
    none = images.subset(np.arange(0))
    with pytest.raises(ValueError, match="0 faces are fewer than half of batch_size=8"):
        FaceBatches(none, images, 8, 0)
    with pytest.raises(ValueError, match="0 other images are fewer"):
        FaceBatches(images, none, 8, 0)
    for odd in (1, 7):
        with pytest.raises(ValueError, match=f"batch_size={odd} is odd, but half of a batch are"):
            FaceBatches(images, images, odd, 0)


def save_groups(path):
    """Bright discs and two dark ones are faces; stripes are not."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:8, :8] - 3.5
    disc, stripes = (x**2 + y**2 < 9)[None], (np.arange(8) % 2 == 0)[None, None].repeat(8, 1)
    kinds = [(1, 0)] * 58 + [(1, 1)] * 2 + [(0, 0)] * 60
    pixels = []
    for face, dark in kinds:
        form = disc if face else stripes
        image = form * (60 if dark else 220) + rng.normal(0, 8, (1, 8, 8))
        pixels.append(image.clip(0, 255).astype(np.uint8))
    ImageSet(np.stack(pixels), np.array(kinds, np.int64), ("face", "dark")).save(path)
    return path


def test_it_trains_tells_faces_and_finds_the_rare(tmp_path):
    config = DebiasingVAEConfig(
        data=save_groups(tmp_path / "groups.npz"), out=tmp_path / "run", network="mlp", width=16,
        n_latent=2, batch_size=16, threads=1, steps=150, every=50,
    )  # fmt: skip
    trained = train_system("debiasing_vae", config)
    loaded = load_model(trained.path)
    method = loaded.method
    assert torch.equal(method.face_weights, trained.method.face_weights)
    assert method.face_weights.shape == (60,)
    assert method.face_weights[-2:].sum() > 3 * 2 / 60  # the dark ones
    with np.load(tmp_path / "groups.npz") as stored:
        pixels = torch.from_numpy(stored["pixels"]).float() / 127.5 - 1
    p = method.predict(pixels)
    assert p[:60].min() > 0.5 > p[60:].max()
    assert torch.equal(method.sample(torch.zeros(1, 2)), method.decode(torch.zeros(1, 2)))


def mixture():
    """980 ordinary ones and 20 as wide about a far place of the only latent; which are rare."""
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(980, generator=generator)
    rare = 8 + torch.randn(20, generator=generator)
    return torch.cat([common, rare])[:, None], torch.arange(1000) >= 980


def test_weights_and_rules_by_hand():
    # bins of width 1 over 0 .. 10: three at 0, one at 10; alpha .25: 1 / (.75 + .25), 1 / .5
    latents = torch.tensor([[0.0], [0.0], [0.0], [10.0]])
    weights = resampling_weights(latents, 0.25)
    assert weights.tolist() == pytest.approx([0.2, 0.2, 0.2, 0.4])
    assert effective_sample_size(weights) == pytest.approx(1 / (3 * 0.04 + 0.16))
    # the fourth is rare in the first latent, the first in the second
    latents = torch.tensor([[0.0, 9.0], [0.0, 1.0], [0.0, 1.0], [10.0, 1.0]])
    # per latent, summing to 1: (.2 .2 .2 .4) and (.4 .2 .2 .2)
    largest = resampling_weights(latents, 0.25, "max")
    assert largest.tolist() == pytest.approx([1 / 3, 1 / 6, 1 / 6, 1 / 3])
    product = resampling_weights(latents, 0.25, "product")
    assert product.tolist() == pytest.approx([1 / 3, 1 / 6, 1 / 6, 1 / 3])
    twice = torch.cat([latents, latents], 1)
    assert resampling_weights(twice, 0.25, "max").tolist() == pytest.approx(largest.tolist())
    squared = torch.tensor([4.0, 1.0, 1.0, 4.0]) / 10
    assert resampling_weights(twice, 0.25, "product").tolist() == pytest.approx(squared.tolist())


@pytest.mark.parametrize("rule", ["max", "product"])
def test_the_rare_are_found_in_a_known_latent(rule):
    latents, is_rare = mixture()
    masses = []
    for smoothing in (1e-3, 1e-2, 1e-1, 1.0, 1e3):
        weights = resampling_weights(latents, smoothing, rule)
        assert weights.sum().item() == pytest.approx(1, abs=1e-12)
        assert weights.min() > 0
        masses.append(weights[is_rare].sum().item())
    assert masses[0] >= 0.2  # of 2 % without
    assert masses == sorted(masses, reverse=True)
    assert masses[-1] == pytest.approx(0.02, rel=0.01)


def test_the_product_over_many_latents_degenerates_and_the_maximum_does_not():
    latents = torch.randn(1000, 16, generator=torch.Generator().manual_seed(0))
    largest = effective_sample_size(resampling_weights(latents, 1e-3, "max"))
    product = effective_sample_size(resampling_weights(latents, 1e-3, "product"))
    assert largest >= 0.1 * 1000
    assert product < 0.01 * 1000


def test_idle_latents_and_scales_change_nothing():
    latents, _ = mixture()
    idle = torch.cat([latents, torch.zeros(1000, 1)], 1)
    alone = resampling_weights(latents, 1e-3, "product")
    assert torch.allclose(resampling_weights(idle, 1e-3, "product"), alone)
    assert resampling_weights(0 * latents, 1e-3).tolist() == pytest.approx([1e-3] * 1000)
    wide = resampling_weights(100 * latents - 7, 1e-3)
    assert torch.allclose(wide, resampling_weights(latents, 1e-3))


@pytest.mark.slow
def test_the_bounds_hold_for_the_maximum_and_fail_for_the_product(train):
    """Light faces lost at most .01, effective sample size at least a tenth, mass at least 1.3."""
    folder = Path.home() / ".cache" / "voxcycle" / "lecture" / "biased"
    if not folder.exists():
        pytest.skip("needs the images of egs/images/prepare.py")
    images, test = (load_images(folder / f"{split}.npz") for split in ("train", "test"))
    is_face = images.factor("face") == 1
    faces = images.subset(is_face)
    is_dark = torch.from_numpy(faces.factor("dark") == 1)
    is_light = (test.factor("face") == 1) & (test.factor("dark") == 0)
    batches = FaceBatches(faces, images.subset(~is_face), 64, seed=0)
    found, mass, size = {}, {}, {}
    for rule in (None, "max", "product"):
        torch.manual_seed(0)
        encoder = build_encoder("conv", images.shape, 8, 33)
        method = DebiasingVAE(encoder, build_decoder("conv", images.shape, 8, 16), 16, rule=rule)
        train(method, islice(batches, 800))
        method.eval()
        with torch.no_grad():
            found[rule] = (method.predict(test.images(is_light)) > 0.5).float().mean().item()
        weights = method.weigh_faces(batches.faces)
        mass[rule] = (weights[is_dark].sum() / is_dark.float().mean()).item()
        size[rule] = effective_sample_size(weights) / len(faces)
    assert mass[None] == pytest.approx(1.0)  # which fails the bound
    assert mass["max"] >= 1.3 and size["max"] >= 0.1
    assert found["max"] >= found[None] - 0.01
    assert size["product"] < 0.1 and found["product"] < found[None] - 0.01
