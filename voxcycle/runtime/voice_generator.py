"""The graph of `models.voice_generator.VoiceGenerator`, without condition and mask."""

from typing import Any

import numpy as np

from voxcycle.runtime.graph import Graph
from voxcycle.runtime.layers import add_convnext, add_linear, add_norm, add_product
from voxcycle.runtime.weights import Arrays, Weights


def build_voice_generator(
    arrays: Arrays,
    graph: Graph | None = None,
    /,
    n_mels: int = 80,
    width: int = 192,
    n_blocks: int = 6,
    kernel: int = 7,
    expansion: int = 3,
    n_excitation: int = 81,
    n_condition: int = 0,
    has_skip: bool = True,
    n_content: int = 0,
) -> Graph:
    """Return the graph from `source` (F, n) and `excitation` (F, n_excitation) to the `mel`.

    Arguments and names of weights are those of `VoiceGenerator`. Without an excitation there is one
    input. ValueError where the weights belong to another network or need a condition.
    """
    if n_condition:
        raise ValueError("a conditional generator must be bound to a speaker first")
    if has_skip and n_content:
        raise ValueError("a skip needs a source that is a mel")
    graph, weights = graph or Graph(), Weights(arrays)
    n_source = n_content + 1 if n_content else n_mels
    source = seen = graph.add_input("source", ["frames", n_source])
    if n_content:
        sizes = graph.add_constant(np.array([n_content, 1]))
        features, level = graph.add_many("Split", 2, source, sizes, axis=1)
        features = add_norm(graph, features, weights, "content_norm", n_content)
        seen = graph.add("Concat", features, level, axis=1)
    # Nothing is masked: the mask's column of ones belongs to the bias.
    weight = weights.take("embed.weight", width, n_source + 1 + n_excitation)
    bias = weights.take("embed.bias", width).astype(np.float32) + weight[:, n_source]
    if n_excitation:
        excitation = graph.add_input("excitation", ["frames", n_excitation])
        seen = graph.add("Concat", seen, excitation, axis=1)
    x = add_product(graph, seen, np.delete(weight, n_source, axis=1), bias)
    for index in range(n_blocks):
        x = add_convnext(
            graph,
            x,
            weights,
            f"blocks.{index}",
            width=width,
            kernel=kernel,
            expansion=expansion,
            padding=(kernel // 2, kernel // 2),
        )
    x = add_linear(graph, add_norm(graph, x, weights, "norm", width), weights, "out", width, n_mels)
    if has_skip:
        x = graph.add("Add", source, x)
    weights.require_empty()
    graph.add_output("mel", x, ["frames", n_mels])
    return graph


def count_context_frames(arguments: dict[str, Any]) -> int:
    """Return how many frames to either side an output frame depends on."""
    return int(arguments.get("n_blocks", 6)) * (int(arguments.get("kernel", 7)) // 2)
