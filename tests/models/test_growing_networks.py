import math

import pytest
import torch
import torch.nn.functional as F

from voxcycle.models.growing_networks import (
    EqualizedConv2d,
    EqualizedLinear,
    MinibatchStd,
    PixelNorm,
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    downsample,
    stage_widths,
    upsample,
)

SHAPE = (3, 32, 32)
WIDTHS = [8, 8, 6, 4]


def make_networks():
    torch.manual_seed(0)
    return ProgressiveGenerator(SHAPE, WIDTHS, 5), ProgressiveDiscriminator(SHAPE, WIDTHS)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_a_fade_begins_at_the_former_stage_and_ends_at_the_new(stage):
    generator, discriminator = make_networks()
    z, images = torch.randn(4, 5), torch.randn(4, 3, 4 << stage, 4 << stage)
    old, new = upsample(generator(z, stage - 1)), generator(z, stage)
    assert new.shape == images.shape
    old_scores, scores = discriminator(downsample(images), stage - 1), discriminator(images, stage)
    torch.testing.assert_close(generator(z, stage, 0.3), 0.7 * old + 0.3 * new, atol=1e-5, rtol=0)
    # they do differ
    assert (new - old).abs().mean() > 0.1 and (scores - old_scores).abs().mean() > 1e-3
    # one float32 rounding of numbers about 1
    for alpha, expected, expected_scores in (
        (0.0, old, old_scores),
        (1.0, new, scores),
        (1 - 1e-7, new, scores),
    ):
        torch.testing.assert_close(generator(z, stage, alpha), expected, atol=1e-5, rtol=0)
        found = discriminator(images, stage, alpha)
        torch.testing.assert_close(found, expected_scores, atol=1e-5, rtol=0)


def test_only_what_is_active_gets_gradients():
    generator, _ = make_networks()
    generator(torch.randn(4, 5), 1, 0.5).sum().backward()
    touched = {name for name, p in generator.named_parameters() if p.grad is not None}
    assert {name.split(".")[1] for name in touched if name.startswith("to_rgb")} == {"0", "1"}
    assert {name.split(".")[1] for name in touched if name.startswith("blocks")} == {"0"}
    late = ProgressiveGenerator(SHAPE, WIDTHS, 5, first=3)
    late(torch.randn(4, 5), 3).sum().backward()
    assert all(p.grad is not None for p in late.parameters())  # no way out that is never taken


def test_equalized_layers_keep_unit_variance_and_scale_their_weights():
    torch.manual_seed(0)
    linear = EqualizedLinear(400, 300, gain=1.0)
    assert linear.weight.std().item() == pytest.approx(1.0, abs=0.01)
    assert linear(torch.randn(50, 400)).std().item() == pytest.approx(1.0, abs=0.03)
    slow = EqualizedLinear(4, 3, bias=2.0, lr_multiplier=0.01)
    x = torch.randn(2, 4)
    by_hand = x @ (slow.weight * 0.01 / math.sqrt(4)).T + 2.0
    torch.testing.assert_close(slow(x), by_hand)
    conv = EqualizedConv2d(64, 32, 3)
    x = torch.randn(8, 64, 16, 16)
    by_hand = F.conv2d(x, conv.weight * math.sqrt(2 / (64 * 9)), padding=1)
    torch.testing.assert_close(conv(x), by_hand)


def test_pixel_norm_and_minibatch_deviation_by_hand():
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]])[:, :, None, None]
    expected = torch.tensor([3.0, 4.0]) / math.sqrt(12.5)
    y = PixelNorm()(x)
    torch.testing.assert_close(y[0].flatten(), expected)
    assert y[1].abs().max() == 0  # no division by nothing
    # one group of four: one feature is 0, 0, 2, 2 (deviation 1), another is constant: mean 1/2
    x = torch.zeros(4, 2, 1, 1)
    x[2:, 0] = 2
    alone = MinibatchStd()(x)[:, 2].flatten()
    torch.testing.assert_close(alone, torch.full((4,), 0.5), atol=1e-3, rtol=0)
    # groups know nothing of each other, and odd batches have smaller ones
    double = MinibatchStd()(torch.cat([x, torch.ones(4, 2, 1, 1)]))[:, 2].flatten()
    torch.testing.assert_close(double, torch.tensor([0.5] * 4 + [0.0] * 4), atol=1e-3, rtol=0)
    pairs = MinibatchStd()(torch.cat([x, x[:2]]))[:, 2]
    assert pairs.abs().max() < 1e-3  # pairs of equals


def test_widths_double_towards_the_smallest_size_which_may_be_seven():
    assert stage_widths((3, 32, 32), 16, 64) == [64, 64, 32, 16]
    assert stage_widths((1, 28, 28), 8, 512) == [32, 16, 8]
    generator = ProgressiveGenerator((1, 28, 28), [4, 4, 4], 3)
    discriminator = ProgressiveDiscriminator((1, 28, 28), [4, 4, 4])
    sides = [generator(torch.randn(2, 3), stage).shape[-1] for stage in range(3)]
    assert sides == [7, 14, 28]
    assert discriminator(torch.randn(2, 1, 28, 28), 2).shape == (2, 1)
