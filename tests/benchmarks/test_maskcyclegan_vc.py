"""The published networks that `benchmarks/networks.py` compares with."""

import inspect
import runpy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from voxcycle.models.patchgan import PatchGAN
from voxcycle.models.voice_generator import VoiceGenerator

MODULE = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "maskcyclegan_vc.py"))
MaskCycleGANGenerator = MODULE["MaskCycleGANGenerator"]
MaskCycleGANDiscriminator = MODULE["MaskCycleGANDiscriminator"]


def make_mels(n_frames, n_mels=16):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, n_mels, n_frames, generator=generator, dtype=torch.float64)


def build(kind, **sizes):
    """Build a small network in float64, whose norms scale and shift as after training."""
    torch.manual_seed(0)
    network = kind(**sizes).double()
    for layer in network.modules():
        if isinstance(layer, nn.InstanceNorm1d | nn.InstanceNorm2d):
            nn.init.normal_(layer.weight, mean=1, std=0.3)
            nn.init.normal_(layer.bias, std=0.3)
    return network


@pytest.fixture
def generator():
    return build(MaskCycleGANGenerator, n_mels=16, width=8, n_blocks=2)


@pytest.fixture
def discriminator():
    return build(MaskCycleGANDiscriminator, width=4)


def count(network):
    return sum(p.numel() for p in network.parameters())


def norm_by_hand(x, norm):
    axes = tuple(range(2, x.ndim))
    centred = x - x.mean(axes, keepdim=True)
    x = centred / (centred.square().mean(axes, keepdim=True) + 1e-5).sqrt()
    shape = (1, -1) + (1,) * len(axes)
    return x * norm.weight.view(shape) + norm.bias.view(shape)


def shuffle_by_hand(x):
    """Channel 4 c + 2 i + j of band y and frame x becomes channel c of 2 y + i and 2 x + j."""
    out = x.new_zeros(x.shape[0], x.shape[1] // 4, 2 * x.shape[2], 2 * x.shape[3])
    for i in (0, 1):
        for j in (0, 1):
            out[:, :, i::2, j::2] = x[:, 2 * i + j :: 4]
    return out


def generate_by_hand(g, mel, mask):
    """The forward pass with a convolution and a norm each for values and for gates."""

    def halves(norm, h):
        value, gate = norm_by_hand(h, norm).tensor_split(2, 1)
        return value, gate

    x = torch.stack([mel * mask, mask.repeat(1, mel.shape[1], 1)], 1)
    weight, bias = g.embed[0].weight, g.embed[0].bias
    half = len(weight) // 2
    value = F.conv2d(x, weight[:half], bias[:half], padding=(2, 7))
    gate = F.conv2d(x, weight[half:], bias[half:], padding=(2, 7))
    x = value / (1 + torch.exp(-gate))
    for conv, norm, _ in g.down:
        value, gate = halves(norm, F.conv2d(x, conv.weight, stride=2, padding=2))
        x = value / (1 + torch.exp(-gate))
    n, channels, bands, frames = x.shape
    x = x.reshape(n, channels * bands, frames)
    x = norm_by_hand(g.flatten[0](x), g.flatten[1])
    for block in g.blocks:
        conv, norm, _, back, back_norm = block.layers
        value, gate = halves(norm, F.conv1d(x, conv.weight, padding=1))
        h = value / (1 + torch.exp(-gate))
        x = x + norm_by_hand(F.conv1d(h, back.weight, padding=1), back_norm)
    x = norm_by_hand(g.unflatten[0](x), g.unflatten[1]).reshape(n, channels, bands, frames)
    for conv, _, norm, _ in g.up:
        x = norm_by_hand(shuffle_by_hand(conv(x)), norm)
        x = x / (1 + torch.exp(-x))
    return F.conv2d(x, g.out.weight, g.out.bias, padding=(2, 7))[:, 0]


def test_the_networks_have_the_parameters_of_the_public_implementation_less_dead_biases():
    """Counted layer by layer from the widths and kernels, convolutions with all their biases."""
    norm = 2  # scale and shift, per channel
    parts = [
        2 * 128 * (2 * 5 * 15 + 1),  # embedding and its gate
        2 * 256 * (128 * 25 + 1 + norm),
        2 * 256 * (256 * 25 + 1 + norm),
        256 * (5120 + 1 + norm),  # 2D to 1D
        6 * (2 * 512 * (256 * 3 + 1 + norm) + 256 * (512 * 3 + 1 + norm)),
        5120 * (256 + 1 + norm),  # 1D to 2D
        1024 * (256 * 25 + 1) + 256 * norm,
        512 * (256 * 25 + 1) + 128 * norm,
        128 * 75 + 1,
    ]
    assert sum(parts) == 24_537_729
    dead = 2 * 2 * 256 + 256 + 6 * (2 * 512 + 256) + 5120
    with torch.device("meta"):
        generator, discriminator = MaskCycleGANGenerator(), MaskCycleGANDiscriminator()
    assert count(generator) == sum(parts) - dead == 24_523_649
    assert count(generator) == pytest.approx(24.5e6, rel=0.01)
    widths = (128, 256, 512, 1024)
    n_discriminator = 128 * (9 + 1) + 1024 * 3 + 1
    n_discriminator += sum(b * (9 * a + norm) for a, b in zip(widths, widths[1:], strict=False))
    assert count(discriminator) == n_discriminator == 6_201_089


def test_the_generator_computes_what_separate_convolutions_compute(generator):
    mel, mask = make_mels(16), torch.ones(2, 1, 16, dtype=torch.float64)
    mask[0, :, 3:9] = 0
    # float64: sums in another order differ by far less
    torch.testing.assert_close(
        generator(mel, None, mask), generate_by_hand(generator, mel, mask), atol=1e-9, rtol=1e-9
    )


def test_a_gate_at_zero_halves_and_a_closed_one_shuts(generator):
    """By hand: the value is the convolution's bias, sigmoid(0) = 1/2 and sigmoid(-800) = 0."""
    convolution = generator.embed[0]
    nn.init.zeros_(convolution.weight)
    with torch.no_grad():
        convolution.bias.copy_(torch.tensor([3.0, 5, 7, 9, 0, 0, 0, -800]))
    out = generator.embed(torch.randn(1, 2, 16, 8, dtype=torch.float64))
    expected = torch.tensor([1.5, 2.5, 3.5, 0], dtype=torch.float64)
    assert torch.equal(out, expected.view(1, 4, 1, 1).expand_as(out))


def test_every_parameter_has_a_gradient(generator, discriminator):
    generator(make_mels(16)).square().mean().backward()
    largest = {name: p.grad.abs().max().item() for name, p in generator.named_parameters()}
    # The last block's shift alone is lost, as in the public implementation: the 1 x 1 convolution
    # behind it makes it a constant, which the norm takes away. Rounding is about 1e-17 here.
    assert largest.pop("blocks.1.layers.4.bias") < 1e-14
    assert min(largest.values()) > 1e-6
    discriminator(make_mels(32)[:, None]).square().mean().backward()
    assert min(p.grad.abs().max().item() for p in discriminator.parameters()) > 1e-6


def test_the_mask_is_read_and_not_what_it_covers(generator):
    mel, mask = make_mels(24), torch.ones(2, 1, 24, dtype=torch.float64)
    excitation, condition = torch.randn(2, 17, 24), torch.randn(2, 6)
    # No mask keeps everything, and the rest is ignored.
    assert torch.equal(generator(mel), generator(mel, excitation, mask, condition))
    mask[:, :, 5:15] = 0
    changed, silent = mel.clone(), mel.clone()
    changed[:, :, 5:15] = 100.0
    silent[:, :, 5:15] = 0
    assert torch.equal(generator(mel, None, mask), generator(changed, None, mask))
    assert not torch.allclose(generator(mel), generator(changed))
    # Silence that is kept and silence to be filled in are different inputs.
    assert not torch.allclose(generator(silent), generator(silent, None, mask), atol=1e-3)


@pytest.mark.parametrize(("n_frames", "padded"), [(64, 64), (67, 68), (65, 68), (3, 8)])
def test_a_length_that_is_no_multiple_of_4_is_extended_by_its_last_frame(
    generator, n_frames, padded
):
    mel, mask = make_mels(n_frames), torch.ones(2, 1, n_frames, dtype=torch.float64)
    mask[0, :, -2:] = 0
    index = torch.arange(padded).clamp(max=n_frames - 1)
    out = generator(mel, None, mask)
    assert out.shape == mel.shape
    extended = generator(mel[:, :, index], None, mask[:, :, index])
    assert torch.equal(out, extended[:, :, :n_frames])


def test_samples_and_modes_do_not_change_the_output(generator, discriminator):
    mel = make_mels(16)
    louder = torch.stack([mel[0], 50 * mel[1]])
    for network, planes in ((generator, louder), (discriminator, louder[:, None])):
        # another batch size may sum in another order
        torch.testing.assert_close(network(planes)[:1], network(planes[:1]), atol=1e-9, rtol=1e-9)
        trained = network.train()(planes)
        assert torch.equal(trained, network.eval()(planes))


def test_bands_that_cannot_be_halved_twice_are_an_error():
    with pytest.raises(ValueError, match="82.*4"):
        MaskCycleGANGenerator(n_mels=82)


@pytest.mark.parametrize(
    ("ours", "published"),
    [(VoiceGenerator, MaskCycleGANGenerator), (PatchGAN, MaskCycleGANDiscriminator)],
)
def test_the_networks_are_called_as_ours_are(ours, published):
    names = [list(inspect.signature(network.forward).parameters) for network in (ours, published)]
    assert names[0] == names[1]


def test_discriminator_scores_are_raw_and_cover_every_eighth_of_both_axes(discriminator):
    assert discriminator(make_mels(64, 80)[:, None]).shape == (2, 1, 10, 8)
    with torch.no_grad():
        discriminator.out.weight.zero_()
        discriminator.out.bias.fill_(-4)
    assert (discriminator(make_mels(16)[:, None]) == -4).all()  # a sigmoid would give 0.018
