"""The graph of `models.whisper_encoder.WhisperEncoder`."""

import math

import numpy as np
from numpy.typing import NDArray

from voxcycle.runtime.graph import Graph
from voxcycle.runtime.layers import (
    add_convolution,
    add_linear,
    add_mlp,
    add_norm,
    to_channels,
    to_frames,
)
from voxcycle.runtime.weights import Arrays, Weights

LONGEST_PERIOD = 10_000.0  # of the position encodings


def build_whisper_encoder(
    arrays: Arrays,
    graph: Graph | None = None,
    /,
    n_mels: int = 80,
    width: int = 384,
    n_layers: int = 3,
    n_heads: int = 6,
) -> Graph:
    """Return the graph from `mel` (F, n_mels) and `positions` (P, width) to `features` (P, width).

    P is ceil(F / 2), positions are of `encode_positions`. ValueError where the weights belong to
    another network.
    """
    graph, weights = graph or Graph(), Weights(arrays)
    x = to_channels(graph, graph.add_input("mel", ["frames", n_mels]))
    positions = graph.add_input("positions", ["positions", width])
    for name, n_in, stride in (("conv1", n_mels, 1), ("conv2", width, 2)):
        x = add_convolution(
            graph, x, weights, name, (width, n_in, 3), pads=[1, 1], strides=[stride]
        )
        x = graph.add("Gelu", x)
    x = graph.add("Add", to_frames(graph, x), positions)
    for index in range(n_layers):
        name = f"layers.{index}"
        h = add_norm(graph, x, weights, f"{name}.attention_norm", width)
        x = graph.add("Add", x, _add_attention(graph, h, weights, name, width, n_heads))
        h = add_norm(graph, x, weights, f"{name}.mlp_norm", width)
        x = graph.add("Add", x, add_mlp(graph, h, weights, name, width, 4))
    weights.require_empty()
    graph.add_output("features", x, ["positions", width])
    return graph


def _add_attention(
    graph: Graph, x: str, weights: Weights, name: str, width: int, n_heads: int
) -> str:
    """Self-attention of all positions, (P, width) to (P, width)."""
    head = width // n_heads
    x = add_linear(graph, x, weights, f"{name}.query_key_value", width, 3 * width)
    split = graph.add_constant(np.array([-1, n_heads, head]))
    query, key, value = (
        graph.add("Reshape", part, split)  # (P, n_heads, head)
        for part in graph.add_many("Split", 3, x, axis=1, num_outputs=3)
    )
    query = graph.add("Transpose", query, perm=[1, 0, 2])
    key = graph.add("Transpose", key, perm=[1, 2, 0])
    value = graph.add("Transpose", value, perm=[1, 0, 2])
    scale = graph.add_constant(np.array(head**-0.5, np.float32))
    scores = graph.add("MatMul", graph.add("Mul", query, scale), key)  # (n_heads, P, P)
    attended = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), value)
    joined = graph.add_constant(np.array([-1, width]))
    x = graph.add("Reshape", graph.add("Transpose", attended, perm=[1, 0, 2]), joined)
    return add_linear(graph, x, weights, f"{name}.attention_out", width, width)


def encode_positions(n_positions: int, width: int) -> NDArray[np.float32]:
    """Return sines and cosines of positions, (n_positions, width)."""
    n = width // 2
    rates = np.exp(np.float32(-math.log(LONGEST_PERIOD) / (n - 1)) * np.arange(n, dtype=np.float32))
    angles = np.arange(n_positions, dtype=np.float32)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], 1)
