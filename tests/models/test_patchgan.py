import pytest
import torch

from voxcycle.models.patchgan import PatchGAN, PatchGAN1d, PatchGANPair


@pytest.mark.parametrize(("n_frames", "expected"), [(64, 8), (128, 16), (32, 4)])
def test_patchgan_scores_every_eighth_of_both_axes(n_frames, expected):
    network = PatchGAN(n_channels=2, n_condition=5)
    scores = network(torch.randn(3, 2, 80, n_frames), torch.randn(3, 5))
    assert scores.shape == (3, 1, 10, expected)


def test_patchgan_has_the_parameters_of_the_formula():
    widths = (1, 32, 64, 128, 128)
    kernels = (4, 4, 4, 3)
    expected = sum(
        widths[i] * widths[i + 1] * kernels[i] ** 2 + widths[i + 1] for i in range(4)
    ) + (128 * 9 + 1)
    assert sum(p.numel() for p in PatchGAN().parameters()) == expected
    conditional = PatchGAN(n_condition=5)
    assert sum(p.numel() for p in conditional.parameters()) == expected + 5 * sum(widths[1:])


def receptive_field(network, *place):
    """Return where the score at a place depends on planes (80, 128)."""
    planes = torch.randn(1, 1, 80, 128, requires_grad=True)
    network(planes)[(0, 0, *place)].backward()
    return planes.grad[0, 0] != 0


def extent(touched):
    frames = touched.any(0).nonzero()[:, 0]
    return int(frames.max() - frames.min()) + 1


def test_networks_see_patches_or_whole_spectra_of_a_few_frames():
    torch.manual_seed(0)
    # by hand: 3, 5, then (x - 1) * 2 + 4 for three strided layers: 12, 26, 54
    assert extent(receptive_field(PatchGAN(), 5, 8)) == 54
    # by hand: 3 scores, (x - 1) * 2 + 5 twice, then x + 4: 3, 9, 21, 25 frames
    touched = receptive_field(PatchGAN1d(80, width=16), 16)
    assert extent(touched) == 25
    assert touched.any(1).all()  # every band


def test_a_pair_counts_both_equally():
    torch.manual_seed(0)
    patches, spectra = PatchGAN(2, (4, 4, 4, 4), 3), PatchGAN1d(160, 8, 3)
    planes, condition = torch.randn(2, 2, 80, 64), torch.randn(2, 3)
    scores = PatchGANPair(patches, spectra)(planes, condition)
    means = [network(planes, condition).flatten(1).mean(1) for network in (patches, spectra)]
    torch.testing.assert_close(scores.mean(1), (means[0] + means[1]) / 2)
    # and both hear the condition
    other = PatchGANPair(patches, spectra)(planes, torch.randn(2, 3))
    n_each = scores.shape[1] // 2
    assert not torch.allclose(scores[:, :n_each], other[:, :n_each])
    assert not torch.allclose(scores[:, n_each:], other[:, n_each:])
