"""The graph of the HiFi-GAN generator (Kong et al., 2020), for weights in the published format."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxcycle.runtime.graph import Graph
from voxcycle.runtime.layers import add_convolution, to_channels
from voxcycle.runtime.weights import Arrays, Weights

SLOPE = 0.1
LAST_SLOPE = 0.01  # the published code leaves the default of PyTorch before the last convolution
FIRST_KERNEL = LAST_KERNEL = 7


def build_hifigan(
    arrays: Arrays,
    resblock: str,
    upsample_rates: list[int],
    upsample_kernel_sizes: list[int],
    upsample_initial_channel: int,
    resblock_kernel_sizes: list[int],
    resblock_dilation_sizes: list[list[int]],
    n_mels: int = 80,
) -> Graph:
    """Return the graph from `mel` (F, n_mels) to `waveform` (F * hop,).

    Arguments carry the names of the published `config.json`. Each stage halves the channels and
    averages the outputs of its residual blocks. ValueError where `resblock` is neither "1" nor "2",
    or where the weights, without weight normalisation, belong to another network.
    """
    _check_resblock(resblock)
    graph, weights = Graph(), Weights(arrays)
    channels = upsample_initial_channel
    x = to_channels(graph, graph.add_input("mel", ["frames", n_mels]))
    x = _add_same(graph, x, weights, "conv_pre", (channels, n_mels, FIRST_KERNEL))
    share = graph.add_constant(np.array(1 / len(resblock_kernel_sizes), np.float32))
    for stage, (rate, kernel) in enumerate(zip(upsample_rates, upsample_kernel_sizes, strict=True)):
        padding = (kernel - rate) // 2
        weight = weights.take(f"ups.{stage}.weight", channels, channels // 2, kernel)
        bias = weights.take(f"ups.{stage}.bias", channels // 2)
        x = graph.add(
            "ConvTranspose",
            graph.add("LeakyRelu", x, alpha=SLOPE),
            graph.add_constant(weight),
            graph.add_constant(bias),
            strides=[rate],
            pads=[padding, padding],
        )
        channels //= 2
        fused = []
        for index, (size, dilations) in enumerate(
            zip(resblock_kernel_sizes, resblock_dilation_sizes, strict=True)
        ):
            name = f"resblocks.{stage * len(resblock_kernel_sizes) + index}"
            fused.append(
                _add_resblock(
                    graph, x, weights, name, resblock, (channels, channels, size), dilations
                )
            )
        x = graph.add("Mul", graph.add("Sum", *fused), share)
    x = graph.add("LeakyRelu", x, alpha=LAST_SLOPE)
    x = graph.add("Tanh", _add_same(graph, x, weights, "conv_post", (1, channels, LAST_KERNEL)))
    weights.require_empty()
    flat = graph.add_constant(np.array([-1]))
    graph.add_output("waveform", graph.add("Reshape", x, flat), ["samples"])
    return graph


def count_hop(upsample_rates: list[int]) -> int:
    """Return the samples that a frame becomes."""
    return math.prod(upsample_rates)


def count_context_frames(
    resblock: str,
    upsample_rates: list[int],
    upsample_kernel_sizes: list[int],
    resblock_kernel_sizes: list[int],
    resblock_dilation_sizes: list[list[int]],
    **_: object,
) -> int:
    """Return how many frames to either side an output sample depends on.

    Extents to either side add up over the layers, each divided by the steps per frame of the
    sequence that it runs on. Output sample n of a transposed convolution of kernel k, stride u and
    padding p sees inputs from (n + p - k + 1) / u to (n + p) / u.
    """
    _check_resblock(resblock)
    extent, steps_per_frame = float(FIRST_KERNEL // 2), 1
    reach = max(
        sum((d + (resblock == "1")) * (size - 1) // 2 for d in dilations)
        for size, dilations in zip(resblock_kernel_sizes, resblock_dilation_sizes, strict=True)
    )
    for rate, kernel in zip(upsample_rates, upsample_kernel_sizes, strict=True):
        padding = (kernel - rate) // 2
        extent += max(kernel - 1 - padding, padding) / rate / steps_per_frame
        steps_per_frame *= rate
        extent += reach / steps_per_frame
    return math.ceil(extent + LAST_KERNEL // 2 / steps_per_frame)


def _check_resblock(resblock: str) -> None:
    if resblock not in ("1", "2"):
        raise ValueError(f'resblock is {resblock!r}, known are "1" and "2"')


def _add_resblock(
    graph: Graph,
    x: str,
    weights: Weights,
    name: str,
    resblock: str,
    shape: tuple[int, int, int],
    dilations: list[int],
) -> str:
    """Residual dilated convolutions, each followed by a plain one where `resblock` is "1"."""
    for index, dilation in enumerate(dilations):
        is_first = resblock == "1"
        convs = [(f"{name}.convs1.{index}" if is_first else f"{name}.convs.{index}", dilation)]
        if is_first:
            convs.append((f"{name}.convs2.{index}", 1))
        h = x
        for conv, rate in convs:
            h = graph.add("LeakyRelu", h, alpha=SLOPE)
            h = _add_same(graph, h, weights, conv, shape, rate)
        x = graph.add("Add", x, h)
    return x


def _add_same(
    graph: Graph,
    x: str,
    weights: Weights,
    name: str,
    shape: tuple[int, int, int],
    dilation: int = 1,
) -> str:
    padding = (shape[2] - 1) * dilation // 2
    return add_convolution(
        graph, x, weights, name, shape, dilations=[dilation], pads=[padding, padding]
    )


def fold_weight_norm(state: Arrays) -> dict[str, NDArray[Any]]:
    """Replace each `*.weight_g`, `*.weight_v` by `*.weight` = g * v / |v|, other entries kept.

    Salimans & Kingma (2016), eq. 2; the norm runs over all axes but the first, for transposed
    convolutions too.
    """
    folded = {}
    for key, value in state.items():
        if key.endswith(".weight_v"):
            stem = key.removesuffix("_v")
            norm = np.sqrt(np.square(value).sum(axis=tuple(range(1, value.ndim)), keepdims=True))
            folded[stem] = value * (state[stem + "_g"] / norm)
        elif not key.endswith(".weight_g"):
            folded[key] = value
    return folded
