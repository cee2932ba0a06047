import pytest
import torch
import torch.nn.functional as F

from voxcycle.models.growing_networks import stage_widths
from voxcycle.models.style_networks import (
    MappingNetwork,
    ModulatedConv2d,
    SynthesisNetwork,
    upsample_smoothly,
)

SHAPE = (3, 32, 32)


@pytest.mark.parametrize("demodulates", [True, False])
def test_modulated_convolution_equals_one_convolution_per_image(demodulates):
    """Eq. 1 and 3 written out: w'_ijk = s_i w_ijk, w''_ijk = w'_ijk / sqrt(sum w'^2 + eps)."""
    torch.manual_seed(0)
    layer = ModulatedConv2d(n_in=6, n_out=4, kernel=3, n_style=5, demodulates=demodulates)
    x, w = torch.randn(3, 6, 8, 8), torch.randn(3, 5)
    got = layer(x, w)
    for image, style, result in zip(x, w, got, strict=True):
        scales = style @ (layer.to_scales.weight * 5**-0.5).T + 1.0
        weight = layer.weight * (6 * 9) ** -0.5 * scales[None, :, None, None]
        if demodulates:
            weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        expected = F.conv2d(image[None], weight, padding=1)[0]
        torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5)


def test_demodulated_outputs_have_unit_deviation_whatever_the_style():
    torch.manual_seed(0)
    layer = ModulatedConv2d(64, 64, 3, 16)
    for size in (0.1, 1.0, 10.0):
        y = layer(torch.randn(16, 64, 16, 16), size * torch.randn(16, 16))
        inside = y[:, :, 1:-1, 1:-1]  # padding lowers the border
        assert inside.std().item() == pytest.approx(1.0, abs=0.1)
    plain = ModulatedConv2d(64, 64, 3, 16, demodulates=False)
    y = plain(torch.randn(16, 64, 16, 16), 10 * torch.randn(16, 16))
    assert y.std() > 3  # without, the scale of the style comes through


def test_every_layer_has_its_own_style_and_noise():
    """A style changes what its stage draws: those of the last stage leave the former ones' sum."""
    torch.manual_seed(0)
    synthesis = SynthesisNetwork(SHAPE, [8, 8, 6, 4], 5)
    assert synthesis.n_styles == 8
    assert synthesis.sides == [4, 8, 8, 16, 16, 32, 32]
    assert synthesis.n_noise == 16 + 2 * (64 + 256 + 1024)
    noise = torch.zeros(1, synthesis.n_noise)
    styles = torch.randn(2, 8, 5)
    images = synthesis(styles, noise)
    assert images.shape == (2, 3, 32, 32)
    for i in range(8):
        changed = styles.clone()
        changed[0, i] += 1
        moved = (synthesis(changed, noise) - images).abs().amax((1, 2, 3))
        assert moved[0] > 1e-4, i
        assert moved[1] == 0, i  # and no other image
    noise = torch.randn(2, synthesis.n_noise)
    torch.testing.assert_close(synthesis(styles, noise), images)  # strengths begin at 0
    for layer in synthesis.layers:
        torch.nn.init.constant_(layer.noise_strength, 0.5)
    assert (synthesis(styles, noise) - images).abs().mean() > 1e-2
    synthesis = SynthesisNetwork((1, 28, 28), stage_widths((1, 28, 28), 4, 8), 5)
    images = synthesis(torch.randn(2, 6, 5), torch.zeros(1, synthesis.n_noise))
    assert images.shape == (2, 1, 28, 28)


def test_smooth_upsampling_is_the_filter_of_the_paper():
    """Zeros between pixels, then 1 3 3 1 in both directions with gain 4."""
    x = torch.randn(1, 1, 6, 6)
    taps = torch.tensor([1.0, 3, 3, 1]) / 4
    spread = torch.zeros(1, 1, 12, 12)
    spread[:, :, ::2, ::2] = x
    expected = F.conv2d(F.pad(spread, (2, 1, 2, 1)), torch.outer(taps, taps)[None, None])
    inside = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(upsample_smoothly(x)[inside], expected[inside])


def test_mapping_ignores_the_length_of_z():
    torch.manual_seed(0)
    mapping = MappingNetwork(16, 2)
    z = torch.randn(64, 16)
    torch.testing.assert_close(mapping(3 * z), mapping(z), atol=1e-4, rtol=1e-4)
    assert mapping(z).std() > 0.3  # slow layers begin at full strength
