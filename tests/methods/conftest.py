"""What the tests of methods share: they cannot import this file, so fixtures give functions."""

import pytest
import torch
from torch import nn

from voxcycle.methods.batches import ImageBatch
from voxcycle.training.state import TrainingState

NOISE_SHAPE = (3, 16, 16)


@pytest.fixture(scope="session")
def train():
    """Train a method on batches, without averaging; return the state."""

    def train(method, batches):
        state = TrainingState(method)
        for batch in batches:
            state.run_phases(batch)
            state.steps_done += 1
        return state

    return train


@pytest.fixture(scope="session")
def find_unmoved():
    """Train a method for a step; return the names of the parameters that stay as they were."""

    def find(method, batch):
        before = {name: p.clone() for name, p in method.named_parameters()}
        TrainingState(method).run_phases(batch)
        return [name for name, p in method.named_parameters() if torch.equal(p, before[name])]

    return find


@pytest.fixture(scope="session")
def make_noise_batch():
    """Return the batch of a step: images of noise, no labels."""

    def make(step, n=4):
        images = torch.randn(n, *NOISE_SHAPE, generator=torch.Generator().manual_seed(step))
        return ImageBatch(images, torch.zeros(n, 0), step, seed=step)

    return make


class _Energy(nn.Module):
    """The score is the mean of the squared pixels, times the place in the growth, if any."""

    def forward(self, images, *place):
        return (sum(place) or 1) * images.square().mean((1, 2, 3))[:, None]


@pytest.fixture(scope="session")
def check_energy_losses():
    """Compare the losses of a GAN, whose score is `scale` times the mean square, with formulas."""

    def check(method, batch, reals, scale=1.0):
        method.discriminator, memory = _Energy(), {}
        adversarial = method.generator_losses(batch, memory)["adversarial"].item()
        discriminator = method.discriminator_losses(batch, memory)["discriminator"].item()
        real, fake = (scale * x.square().mean((1, 2, 3)) for x in (reals, memory["fakes"]))
        d_real, d_fake = (1 / (1 + (-scores.double()).exp()) for scores in (real, fake))
        assert adversarial == pytest.approx(-d_fake.log().mean().item(), rel=1e-5)
        value = d_real.log().mean() + (1 - d_fake).log().mean()
        assert discriminator == pytest.approx(-value.item(), rel=1e-5)
        # the gradient of scale * |x|^2 / n is 2 * scale * x / n
        squared = reals.square().sum((1, 2, 3)).mean().item()
        r1 = method.r1_losses(batch, memory)["r1"].item()
        assert r1 == pytest.approx((2 * scale / reals[0].numel()) ** 2 * squared, rel=1e-5)

    return check
