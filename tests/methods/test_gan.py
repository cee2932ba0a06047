import math

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from voxcycle.images.metrics.mode_coverage import cover_modes
from voxcycle.images.systems.gan_ring import POINT, RingBatches, ring_centres
from voxcycle.methods.batches import ImageBatch
from voxcycle.methods.gan import GAN
from voxcycle.models.coders import build_decoder
from voxcycle.models.dcgan import DCGANDiscriminator, DCGANGenerator, PointDiscriminator
from voxcycle.training.state import TrainingState


class Player(nn.Module):
    """A network of one weight."""

    def __init__(self, weight, play):
        super().__init__()
        self.weight, self.play = nn.Parameter(torch.tensor(weight)), play

    def forward(self, x):
        return self.play(self.weight, x)


def make_lines(shift, slope, **settings):
    """Return a GAN that makes N(shift, 1), whose logit is slope * x."""
    generator = Player(shift, lambda weight, noise: (noise + weight)[..., None, None])
    discriminator = Player(slope, lambda weight, images: weight * images.flatten())
    return GAN(generator, discriminator, n_latent=1, **settings)


def batch_of(images, labels=None):
    labels = torch.zeros(len(images), 0, dtype=torch.long) if labels is None else labels
    return ImageBatch(images, labels, step=0, seed=5)


@pytest.mark.parametrize("saturates", [False, True])
def test_terms_and_gradients_by_hand(saturates):
    method = make_lines(2.0, -1.5, saturates=saturates)
    batch, memory = batch_of(torch.tensor([0.5, -1.0])[:, None, None, None]), {}
    fake = [z + 2.0 for z in batch.normal(2, 1).flatten().tolist()]
    d = [1 / (1 + math.exp(1.5 * x)) for x in fake]
    term = method.generator_losses(batch, memory)["adversarial"]
    if saturates:
        expected = sum(math.log(1 - p) for p in d) / 2
        gradient = sum(-p * -1.5 for p in d) / 2  # d term / d logit * d logit / d shift
    else:
        expected = -sum(math.log(p) for p in d) / 2
        gradient = sum((p - 1) * -1.5 for p in d) / 2
    assert term.item() == pytest.approx(expected, rel=1e-5)
    term.backward()
    assert method.generator.weight.grad.item() == pytest.approx(gradient, rel=1e-5)
    value = method.discriminator_losses(batch, memory)["value"]
    real = [1 / (1 + math.exp(1.5 * x)) for x in (0.5, -1.0)]
    expected = (sum(map(math.log, real)) + sum(math.log(1 - p) for p in d)) / 2
    assert value.item() == pytest.approx(expected, rel=1e-5)
    method.zero_grad()
    value.backward()
    assert method.generator.weight.grad is None  # fakes are detached


def test_each_player_moves_its_own_way(train):
    # fakes lie right of the reals and the logit rises to the right: D must tilt back, and the
    # generator, which only sees D, goes on to the right
    method = make_lines(2.0, 1.0, lr=0.1)
    train(method, [batch_of(torch.zeros(64, 1, 1, 1))])
    # the first step of Adam is the rate, against the gradient's sign
    assert method.generator.weight.item() == pytest.approx(2.1, abs=1e-4)
    assert method.discriminator.weight.item() == pytest.approx(0.9, abs=1e-4)


def test_r1_by_hand_and_only_when_it_is_due():
    """The logit w x has the gradient w everywhere."""
    method = make_lines(2.0, -1.5, r1=0.5, r1_every=4)
    assert [phase.name for phase in method.phases()] == ["generator", "discriminator", "r1"]
    assert method.phases()[2].weights == {"r1": 0.5 / 2 * 4}
    batch = batch_of(torch.tensor([0.5, -1.0])[:, None, None, None])
    assert method.r1_losses(batch, {})["r1"].item() == pytest.approx(1.5**2)
    module, due = TrainingState(method), []
    assert len(module.optimizers) == 2
    for _ in range(5):
        module.run_phases(batch)
        due.append("r1/r1" in module.logged)
        module.steps_done += 1
    assert due == [True, False, False, False, True]
    assert len(make_lines(2.0, -1.5).phases()) == 2


def test_the_game_finds_a_distribution(train):
    """A line against a line: the shift comes to the mean of the data, the slope to 0."""
    torch.manual_seed(0)
    method = make_lines(-1.0, 0.0, lr=0.02)
    shifts = []

    def make(step):
        shifts.append(method.generator.weight.item())  # of the step before
        real = torch.randn(256, 1, 1, 1, generator=torch.Generator().manual_seed(step)) + 1
        return ImageBatch(real, torch.zeros(256, 0, dtype=torch.long), step, 10_000 + step)

    train(method, map(make, range(601)))
    # it circles around the equilibrium: only its average is held against it
    assert torch.tensor(shifts[301:]).mean().item() == pytest.approx(1.0, abs=0.15)


def test_conditional_samples():
    torch.manual_seed(0)
    shape = (1, 8, 8)
    method = GAN(DCGANGenerator(shape, 4, 3, 2), DCGANDiscriminator(shape, 4, 2), 3, 2).eval()
    noise = torch.randn(4, 3)
    in_turn = method.sample(noise)
    assert torch.equal(in_turn, method.sample(noise, torch.tensor([0, 1, 0, 1])))
    labels = torch.tensor([[1], [0], [1], [0]])
    batch = batch_of(torch.zeros(4, *shape), labels)
    method.generator_losses(batch, memory := {})
    fakes = method.generator(batch.normal(4, 3), labels[:, 0])
    assert torch.equal(memory["fake"], fakes)  # made of the batch's own labels


def ring_gan(width, n_latent, saturates=False):
    generator = build_decoder("mlp", POINT, width, n_latent=n_latent, n_hidden=2)
    discriminator = PointDiscriminator(width)
    return GAN(generator, discriminator, n_latent, saturates=saturates, lr=1e-3)


@pytest.mark.parametrize("saturates", [False, True])
def test_a_step_moves_both_players(saturates, find_unmoved):
    torch.manual_seed(0)
    assert find_unmoved(ring_gan(16, 4, saturates), RingBatches(32, 0, 0.1)[0]) == []


def train_on_ring(discriminator_every):
    """Train for 3,000 steps; the discriminator moves on every n-th only."""
    torch.manual_seed(1)
    method = ring_gan(128, 16)
    module = TrainingState(method)
    module.phases[1].every = discriminator_every
    average = AveragedModel(method.generator, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    batches = RingBatches(256, 1, 0.1)
    for step in range(3_000):
        module.run_phases(batches[step])
        module.steps_done += 1
        average.update_parameters(method.generator)
    noise = torch.randn(5_000, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        points = average(noise).flatten(1)
    return cover_modes(points, torch.from_numpy(ring_centres()), 0.1)


@pytest.mark.slow
def test_the_ring_is_covered_and_a_lagging_discriminator_lets_it_collapse():
    """The bound of the ring's recipe, and what it must fail."""
    balanced = train_on_ring(discriminator_every=1)
    assert balanced.n_modes == 8
    assert balanced.near >= 0.8
    lagging = train_on_ring(discriminator_every=25)
    assert lagging.n_modes < 8
    assert lagging.near < 0.8
