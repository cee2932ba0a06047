import math

import pytest
import torch

from voxcycle.methods.progressive_gan import Growth, ProgressiveGAN, lazy_adam
from voxcycle.models.growing_networks import (
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    downsample,
    upsample,
)

SHAPE = (3, 16, 16)
GROWTH = Growth(first=0, last=2, fade_steps=4, stable_steps=3)


def make_method(r1=1.0):
    torch.manual_seed(0)
    widths = [6, 6, 4]
    return ProgressiveGAN(
        generator=ProgressiveGenerator(SHAPE, widths, 5),
        discriminator=ProgressiveDiscriminator(SHAPE, widths),
        growth=GROWTH,
        n_latent=5,
        lr=1e-2,
        r1=r1,
        r1_every=2,
    )


def test_the_schedule_by_hand():
    """3 steps of 4 x 4, 4 of fading and 3 of 8 x 8, as many of 16 x 16, which then stays."""
    places = [GROWTH.at(step) for step in range(18)]
    fade = [0.25, 0.5, 0.75, 1.0]
    assert places == (
        [(0, 1.0)] * 3
        + [(1, alpha) for alpha in fade] + [(1, 1.0)] * 3
        + [(2, alpha) for alpha in fade] + [(2, 1.0)] * 4
    )  # fmt: skip
    assert [GROWTH.end(stage) for stage in range(2)] == [3, 10]
    assert GROWTH.at(10**6) == (2, 1.0)
    assert Growth(2, 2, 4, 3).at(0) == Growth(2, 2, 4, 3).at(99) == (2, 1.0)


def test_reals_are_shrunk_and_faded_as_fakes_are():
    method = make_method()
    images = torch.randn(2, 3, 16, 16)
    half = downsample(images)
    torch.testing.assert_close(method.shrink(images, 1), half)
    torch.testing.assert_close(half, images.unflatten(3, (8, 2)).unflatten(2, (8, 2)).mean((3, 5)))
    faded = 0.75 * upsample(downsample(half)) + 0.25 * half
    torch.testing.assert_close(method.shrink(images, 1, 0.25), faded)
    assert torch.equal(method.shrink(images, 2), images)


def test_a_discriminator_that_cannot_tell_has_the_losses_of_the_paper(make_noise_batch):
    """Goodfellow et al.: ln 4 at D = 1/2, the generator's ln 2."""
    method, batch = make_method(), make_noise_batch(5)
    last = method.discriminator.last_layer[-1]
    torch.nn.init.zeros_(last.weight)
    memory: dict[str, torch.Tensor] = {}
    terms = method.generator_losses(batch, memory)
    assert terms["adversarial"].item() == pytest.approx(math.log(2))
    assert memory["fakes"].shape == (4, 3, 8, 8)
    assert not memory["fakes"].requires_grad
    terms = method.discriminator_losses(batch, memory)
    assert terms["discriminator"].item() == pytest.approx(math.log(4))
    assert method.r1_losses(batch, memory)["r1"].item() == 0


def test_losses_and_r1_by_hand(make_noise_batch, check_energy_losses):
    """In step 5 a stage of 8 x 8 pixels has faded in by 3/4; its scores differ."""
    method, batch = make_method(), make_noise_batch(5)
    check_energy_losses(method, batch, method.shrink(batch.images, 1, 0.75), scale=1.75)


def test_r1_steps_the_discriminator_s_own_adam(make_noise_batch, train):
    """So its weight counts: an Adam of its own would divide it out."""
    moved = {}
    for weight in (0.0, 1e-3, 1e3):
        method = make_method(r1=weight)
        before = method.discriminator.from_rgb["0"][0].weight.clone()
        state = train(method, map(make_noise_batch, range(3)))
        assert len(state.optimizers) == 2
        assert [phase.weights for phase in state.phases][2] == {"r1": weight / 2 * 2}
        moved[weight] = method.discriminator.from_rgb["0"][0].weight - before
    small, large = ((moved[w] - moved[0.0]).abs().mean().item() for w in (1e-3, 1e3))
    assert 0 < small < 0.2 * large
    # the ratio of the paper, 16 / 17 of the rate, and the betas to that power
    adam = lazy_adam(0.1, 16)([torch.nn.Parameter(torch.zeros(1))])
    group = adam.param_groups[0]
    assert group["lr"] == pytest.approx(0.1 * 16 / 17)
    assert group["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))


def test_samples_come_from_the_stage_that_is_reached():
    method = make_method()
    noise = torch.randn(2, 5)
    method.steps_seen.fill_(2)
    small = method.generator(noise, 0)
    expected = small.repeat_interleave(4, 2).repeat_interleave(4, 3)
    torch.testing.assert_close(method.sample(noise), expected)
    method.steps_seen.fill_(17)
    torch.testing.assert_close(method.sample(noise), method.generator(noise, 2))
