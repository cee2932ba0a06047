import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from voxcycle.models.hifigan_generator import HiFiGANGenerator, fold_weight_norm

V1 = {
    "resblock": "1",
    "upsample_rates": [8, 8, 2, 2],
    "upsample_kernel_sizes": [16, 16, 4, 4],
    "upsample_initial_channel": 512,
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
}
V2 = V1 | {"upsample_initial_channel": 128}
V3 = {
    "resblock": "2",
    "upsample_rates": [8, 8, 4],
    "upsample_kernel_sizes": [16, 16, 8],
    "upsample_initial_channel": 256,
    "resblock_kernel_sizes": [3, 5, 7],
    "resblock_dilation_sizes": [[1, 2], [2, 6], [3, 12]],
}


def count_by_hand(config):
    """Weights and biases by the paper's description: k * in * out + out per convolution."""
    channels = config["upsample_initial_channel"]
    convs_per_dilation = 2 if config["resblock"] == "1" else 1
    total = 7 * 80 * channels + channels
    for kernel in config["upsample_kernel_sizes"]:
        half = channels // 2
        total += kernel * channels * half + half
        for size, dilations in zip(
            config["resblock_kernel_sizes"], config["resblock_dilation_sizes"], strict=True
        ):
            total += len(dilations) * convs_per_dilation * (size * half * half + half)
        channels = half
    return total + 7 * channels + 1


@pytest.mark.parametrize(
    ("config", "published_millions"), [(V1, 13.92), (V2, 0.92), (V3, 1.46)], ids=["V1", "V2", "V3"]
)
def test_parameter_count_is_the_published_one(config, published_millions):
    generator = HiFiGANGenerator(**config)
    count = sum(p.numel() for p in generator.parameters())
    assert count == count_by_hand(config)
    # Table 1 of the paper, two decimals (13.926 is printed there as 13.92).
    assert count / 1e6 == pytest.approx(published_millions, abs=0.01)


@pytest.mark.parametrize("config", [V2, V3], ids=["V2", "V3"])
def test_output_depends_on_context_frames_and_no_more(config):
    torch.manual_seed(0)
    generator = HiFiGANGenerator(**config).eval()
    context, hop = generator.context_frames, generator.hop_length
    assert hop == 256
    frame = 2 * context
    mel = torch.randn(1, 80, 4 * context, dtype=torch.float64)
    generator.double()  # far influences are small: they must not drown in rounding
    other = mel.clone()
    other[..., frame] += 1.0
    with torch.inference_mode():
        changed = (generator(mel) != generator(other))[0].nonzero().flatten() // hop
    assert frame - context <= changed.min()
    assert changed.max() <= frame + context
    # The bound is tight: it costs at most two frames more than what is really seen.
    assert max(frame - changed.min(), changed.max() - frame) >= context - 2


def test_folding_weight_norm_agrees_with_pytorch():
    torch.manual_seed(0)
    for layer in (nn.Conv1d(4, 6, 3), nn.ConvTranspose1d(4, 6, 3)):
        normed = weight_norm(layer)
        normed.parametrizations.weight.original0.data.uniform_(0.5, 2.0)
        published = {
            "weight_g": normed.parametrizations.weight.original0.detach(),
            "weight_v": normed.parametrizations.weight.original1.detach(),
            "bias": normed.bias.detach(),
        }
        folded = fold_weight_norm({f"up.{k}": v for k, v in published.items()})
        assert set(folded) == {"up.weight", "up.bias"}
        torch.testing.assert_close(folded["up.weight"], normed.weight.detach())


def test_residual_block_names_are_known():
    with pytest.raises(ValueError, match="resblock is '3'"):
        HiFiGANGenerator(**V1 | {"resblock": "3"})


def test_one_stage_equals_one_dimensional_convolutions():
    """A generator of one stage, written out with `torch.nn.functional` in one dimension."""
    torch.manual_seed(0)
    generator = HiFiGANGenerator(
        resblock="2",
        upsample_rates=[4],
        upsample_kernel_sizes=[8],
        upsample_initial_channel=16,
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[2]],
        n_mels=5,
    ).eval()
    state = {k: v.squeeze(2) if v.dim() == 4 else v for k, v in generator.state_dict().items()}
    mel = torch.randn(2, 5, 9)
    x = F.conv1d(mel, state["conv_pre.weight"], state["conv_pre.bias"], padding=3)
    x = F.leaky_relu(x, 0.1)
    x = F.conv_transpose1d(x, state["ups.0.weight"], state["ups.0.bias"], stride=4, padding=2)
    name = "resblocks.0.convs.0"
    h = F.leaky_relu(x, 0.1)
    x = x + F.conv1d(h, state[f"{name}.weight"], state[f"{name}.bias"], padding=2, dilation=2)
    x = F.conv1d(F.leaky_relu(x), state["conv_post.weight"], state["conv_post.bias"], padding=3)
    with torch.no_grad():
        torch.testing.assert_close(generator(mel), torch.tanh(x).squeeze(1))
