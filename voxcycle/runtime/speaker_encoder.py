"""The graph of `models.speaker_encoder.SpeakerEncoder`, up to its pooling over frames."""

import numpy as np
from numpy.typing import NDArray

from voxcycle.runtime.graph import Graph
from voxcycle.runtime.layers import add_convnext, add_linear, add_norm
from voxcycle.runtime.weights import Arrays, Weights

KERNEL, EXPANSION = 7, 2
MEL_MEAN, MEL_STD = -5.0, 1.7  # of log-mels at the analysis level


def build_speaker_encoder(
    arrays: Arrays, n_mels: int = 80, width: int = 128, n_blocks: int = 4, n_embedding: int = 64
) -> Graph:
    """Return the graph from `mel` (F, n_mels) and `weight` (F, 1) to `embedding` (1, n_embedding).

    The weights over frames sum to 1; the embedding is not yet of unit length. ValueError where the
    weights belong to another network.
    """
    graph, weights = Graph(), Weights(arrays)
    mel = graph.add_input("mel", ["frames", n_mels])
    share = graph.add_input("weight", ["frames", 1])

    def constant(value: float) -> str:
        return graph.add_constant(np.array(value, np.float32))

    def pool(values: str) -> str:
        axes = graph.add_constant(np.array([0]))
        return graph.add("ReduceSum", graph.add("Mul", values, share), axes, keepdims=1)

    x = graph.add("Div", graph.add("Sub", mel, constant(MEL_MEAN)), constant(MEL_STD))
    x = add_linear(graph, x, weights, "embed", n_mels, width)
    for index in range(n_blocks):
        x = add_convnext(
            graph,
            x,
            weights,
            f"blocks.{index}",
            width=width,
            kernel=KERNEL,
            expansion=EXPANSION,
            padding=(KERNEL // 2, KERNEL // 2),
        )
    x = add_norm(graph, x, weights, "norm", width)
    mean = pool(x)
    difference = graph.add("Sub", x, mean)
    variance = pool(graph.add("Mul", difference, difference))
    deviation = graph.add("Sqrt", graph.add("Max", variance, constant(1e-5)))
    pooled = graph.add("Concat", mean, deviation, axis=1)
    graph.add_output(
        "embedding",
        add_linear(graph, pooled, weights, "out", 2 * width, n_embedding),
        [1, n_embedding],
    )
    weights.require_empty()
    return graph


def share_frames(speech: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the weight of each frame, (F, 1): speech counts, all frames alike."""
    weight = speech.astype(np.float32)[:, None]
    return weight / max(float(weight.sum()), 1.0)
