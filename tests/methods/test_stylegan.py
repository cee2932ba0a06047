import pytest
import torch

from voxcycle.methods.stylegan import StyleGAN, StyleGANRegularizers
from voxcycle.models.dcgan import DCGANDiscriminator
from voxcycle.models.style_networks import MappingNetwork, SynthesisNetwork
from voxcycle.training.state import TrainingState

SHAPE = (3, 16, 16)
N_LATENT, N_STYLES = 5, 6


def make_method(mixing=0.9):
    torch.manual_seed(0)
    return StyleGAN(
        mapping=MappingNetwork(N_LATENT, 2),
        synthesis=SynthesisNetwork(SHAPE, [6, 6, 4], N_LATENT),
        discriminator=DCGANDiscriminator(SHAPE, 4),
        n_latent=N_LATENT,
        lr=1e-2,
        regularizers=StyleGANRegularizers(
            r1=1.0, r1_every=2, path_length=2.0, path_length_every=3, mixing=mixing
        ),
    )


@pytest.mark.parametrize("mixing", [0.0, 0.9, 1.0])
def test_as_many_images_are_mixed_as_wanted(mixing, make_noise_batch):
    """A mixed image has one style up to a layer and another after it, which may be any."""
    method = make_method(mixing)
    styles, noise, rest = method._draw(make_noise_batch(0, 2_000), 2_000)
    changes = (styles[:, 1:] != styles[:, :-1]).any(2)
    assert set(changes.sum(1).tolist()) <= {0, 1}
    # 2,000 draws: three standard deviations are 0.02
    assert changes.any(1).float().mean().item() == pytest.approx(mixing, abs=0.02)
    if mixing:
        share = changes.float().mean(0) / mixing
        assert share.tolist() == pytest.approx([1 / (N_STYLES - 1)] * (N_STYLES - 1), abs=0.03)
    # parts of one draw, so noise has nothing to do with what is left for path lengths
    correlation = torch.corrcoef(torch.stack([noise.flatten()[:9_000], rest[:9_000]]))[0, 1]
    assert abs(correlation) < 0.05
    assert (noise.mean().item(), noise.std().item()) == pytest.approx((0, 1), abs=0.02)


def test_four_phases_and_two_optimizers(make_noise_batch):
    module = TrainingState(make_method())
    assert len(module.optimizers) == 2
    assert {p.name: (p.every, dict(p.weights)) for p in module.phases} == {
        "generator": (1, {"adversarial": 1.0}),
        "path_length": (3, {"path_length": 6.0}),  # 2 * every
        "discriminator": (1, {"discriminator": 1.0}),
        "r1": (2, {"r1": 1.0}),  # gamma / 2 * every
    }
    ran = []
    for step in range(4):
        module.run_phases(make_noise_batch(step))
        module.steps_done += 1
        ran.append({key.split("/")[0] for key in module.logged})
    both = {"generator", "discriminator"}
    assert ran == [both | {"path_length", "r1"}, both, both | {"r1"}, both | {"path_length"}]


def test_losses_by_hand_and_a_step(make_noise_batch, check_energy_losses, find_unmoved):
    batch = make_noise_batch(0)
    check_energy_losses(make_method(), batch, batch.images)
    assert find_unmoved(make_method(), batch) == []


def test_mean_style_and_mean_length_are_tracked(make_noise_batch):
    method = make_method(mixing=0.0)
    batch = make_noise_batch(0)
    method.generator_losses(batch, {})
    z = batch.normal(2 * 4 * N_LATENT).reshape(8, N_LATENT)
    torch.testing.assert_close(method.mean_style, 0.002 * method.map(z)[:4].mean(0))
    terms = method.path_length_losses(batch, {})
    assert terms["path_length"].item() > 0
    first = method.mean_length.item()
    assert first > 0
    method.mean_length.fill_(100 * first)  # the mean itself, as the decay is 0.99: it stays
    method.path_length_losses(batch, {})
    assert method.mean_length.item() == pytest.approx(100 * first, rel=1e-4)


def test_styles_are_truncated_and_mixed():
    method = make_method()
    method.mean_style.copy_(torch.arange(5.0))
    w = torch.ones(2, 5)
    torch.testing.assert_close(method.truncate(w, 1.0), w)
    torch.testing.assert_close(method.truncate(w, 0.0), torch.arange(5.0).expand(2, 5))
    torch.testing.assert_close(method.truncate(w, 0.5)[0], torch.tensor([0.5, 1, 1.5, 2, 2.5]))
    w, other = torch.randn(2, 3, N_LATENT)
    styles = method.mix(w, other, slice(2, 4))
    assert torch.equal(styles[:, 2:4], other[:, None].expand(-1, 2, -1))
    assert torch.equal(styles[:, :2], w[:, None].expand(-1, 2, -1))
    everything = method.synthesize(method.mix(w, other, slice(None)))
    torch.testing.assert_close(everything, method.synthesize(other))
    torch.testing.assert_close(
        method.synthesize(method.mix(w, other, slice(0))), method.synthesize(w)
    )


def test_samples_of_one_latent_differ_by_their_noise_alone():
    method = make_method()
    z = torch.randn(1, N_LATENT).expand(3, -1)
    images = method.sample(z)
    torch.testing.assert_close(images[0], images[2])  # strengths begin at 0
    for layer in method.generator["synthesis"].layers:
        torch.nn.init.constant_(layer.noise_strength, 0.5)
    images, calm = method.sample(z), method.synthesize(method.map(z))
    assert (images[0] - images[2]).abs().mean() > 1e-2
    assert torch.equal(images, method.sample(z))
    torch.testing.assert_close(calm[0], calm[2])
