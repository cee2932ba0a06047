import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.conversion.frames import CHUNK_FRAMES
from voxcycle.conversion.stages import render_mels
from voxcycle.runtime.hifigan import (
    build_hifigan,
    count_context_frames,
    count_hop,
    fold_weight_norm,
)
from voxcycle.runtime.session import Session
from voxcycle.vocoders.registry import load_vocoder

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


SMALL = V3 | {"upsample_initial_channel": 16, "n_mels": 5}


def list_shapes(config):
    """Return the shapes of the published weights by name, by the paper's description."""
    channels = config["upsample_initial_channel"]
    shapes = {"conv_pre": (channels, config.get("n_mels", 80), 7)}
    chains = ("convs1", "convs2") if config["resblock"] == "1" else ("convs",)
    sizes = config["resblock_kernel_sizes"]
    for stage, kernel in enumerate(config["upsample_kernel_sizes"]):
        half = channels // 2
        shapes[f"ups.{stage}"] = (channels, half, kernel)
        for block, size in enumerate(sizes):
            name = f"resblocks.{stage * len(sizes) + block}"
            for index in range(len(config["resblock_dilation_sizes"][block])):
                for chain in chains:
                    shapes[f"{name}.{chain}.{index}"] = (half, half, size)
        channels = half
    return shapes | {"conv_post": (1, channels, 7)}


def draw_weights(config):
    """Return random weights, (B,) for biases."""
    rng, weights = np.random.default_rng(0), {}
    for name, shape in list_shapes(config).items():
        n_out = shape[1] if name.startswith("ups") else shape[0]
        weights[f"{name}.weight"] = rng.normal(0, (shape[1] * shape[2]) ** -0.5, shape)
        weights[f"{name}.bias"] = rng.normal(0, 0.1, n_out)
    return {name: array.astype(np.float32) for name, array in weights.items()}


def render_by_hand(weights, mel, config):
    """Render log-mels (F, n_mels) by PyTorch's functions, one convolution after the other."""

    def conv(x, name, dilation=1):
        weight = state[f"{name}.weight"]
        padding = (weight.shape[2] - 1) * dilation // 2
        return F.conv1d(x, weight, state[f"{name}.bias"], padding=padding, dilation=dilation)

    state = {name: torch.from_numpy(array) for name, array in weights.items()}
    x = conv(torch.from_numpy(mel.T.copy())[None], "conv_pre")
    sizes, stages = config["resblock_kernel_sizes"], config["upsample_rates"]
    for stage, (rate, kernel) in enumerate(
        zip(stages, config["upsample_kernel_sizes"], strict=True)
    ):
        up, padding = f"ups.{stage}", (kernel - rate) // 2
        x = F.conv_transpose1d(
            F.leaky_relu(x, 0.1), state[f"{up}.weight"], state[f"{up}.bias"], rate, padding
        )
        outputs = []
        for block, dilations in enumerate(config["resblock_dilation_sizes"]):
            name, y = f"resblocks.{stage * len(sizes) + block}", x
            for index, dilation in enumerate(dilations):
                if config["resblock"] == "1":
                    h = conv(F.leaky_relu(y, 0.1), f"{name}.convs1.{index}", dilation)
                    y = y + conv(F.leaky_relu(h, 0.1), f"{name}.convs2.{index}")
                else:
                    y = y + conv(F.leaky_relu(y, 0.1), f"{name}.convs.{index}", dilation)
            outputs.append(y)
        x = sum(outputs) / len(outputs)
    return torch.tanh(conv(F.leaky_relu(x), "conv_post")).numpy().ravel()


@pytest.mark.parametrize(
    ("config", "published_millions"), [(V1, 13.92), (V2, 0.92), (V3, 1.46)], ids=["V1", "V2", "V3"]
)
def test_it_takes_exactly_the_published_weights(config, published_millions):
    weights = draw_weights(config)
    count = sum(array.size for array in weights.values())
    # Table 1 of the paper, two decimals (13.926 is printed there as 13.92).
    assert count / 1e6 == pytest.approx(published_millions, abs=0.01)
    build_hifigan(weights, **config)


@pytest.mark.parametrize("config", [V2, SMALL], ids=["V2", "small"])
def test_it_is_the_published_network(config):
    mel = np.random.default_rng(1).normal(size=(12, config.get("n_mels", 80))).astype(np.float32)
    weights = draw_weights(config)
    found = Session(build_hifigan(weights, **config)).run({"mel": mel})["waveform"]
    expected = render_by_hand(weights, mel, config)
    assert found.shape == (12 * count_hop(config["upsample_rates"]),)
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_universal_weights_sound_as_in_pytorch_whatever_the_chunks(demo):
    """What a conversion renders in two chunks is what PyTorch renders of the whole."""
    vocoder = load_vocoder("hifigan", MelSpec())
    mel = LogMel(vocoder.spec)(demo)[: CHUNK_FRAMES + 40]
    rendered = render_mels(vocoder, mel, np.zeros(len(mel), np.float32))
    arguments = {name: x for name, x in vocoder.network.arguments.items() if name != "n_mels"}
    weights = {name: np.asarray(x, np.float32) for name, x in vocoder.network.weights.items()}
    with torch.inference_mode():
        wanted = render_by_hand(weights, mel, V1 | arguments)
    edge = slice(vocoder.context_frames * 256, -vocoder.context_frames * 256)
    error = np.mean((rendered[edge] - wanted[edge]) ** 2) / np.mean(wanted[edge] ** 2)
    assert 10 * np.log10(error) < -80


@pytest.mark.parametrize("config", [V2, V3], ids=["V2", "V3"])
def test_output_depends_on_context_frames_and_no_more(config):
    """Constant positive weights in float64: what reaches a sample shows in it."""
    weights = {name: array.astype(np.float64) for name, array in draw_weights(config).items()}
    context, hop = count_context_frames(**config), count_hop(config["upsample_rates"])
    assert hop == 256
    frame = 2 * context
    mel = np.random.default_rng(2).normal(size=(4 * context, 80))
    other = mel.copy()
    other[frame] += 1.0
    one, two = (render_by_hand(weights, x, config) for x in (mel, other))
    changed = np.flatnonzero(one != two) // hop
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
            "weight_g": normed.parametrizations.weight.original0,
            "weight_v": normed.parametrizations.weight.original1,
            "bias": normed.bias,
        }
        folded = fold_weight_norm({f"up.{k}": v.detach().numpy() for k, v in published.items()})
        assert set(folded) == {"up.weight", "up.bias"}
        np.testing.assert_allclose(folded["up.weight"], normed.weight.detach(), rtol=1e-5)


def test_residual_block_names_are_known():
    with pytest.raises(ValueError, match="resblock is '3'"):
        build_hifigan({}, **V1 | {"resblock": "3"})
