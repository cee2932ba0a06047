"""Layers on frames (F, n), written into a graph with the weights that PyTorch's modules have."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxcycle.runtime.graph import FLOAT, Graph
from voxcycle.runtime.weights import Weights

Array = NDArray[np.floating[Any]]
EPSILON = 1e-5  # of LayerNorm, PyTorch's default


def add_linear(graph: Graph, x: str, weights: Weights, name: str, n_in: int, n_out: int) -> str:
    """Map (F, n_in) to (F, n_out)."""
    weight = weights.take(f"{name}.weight", n_out, n_in)
    return add_product(graph, x, weight, weights.take(f"{name}.bias", n_out))


def add_product(graph: Graph, x: str, weight: Array, bias: Array) -> str:
    """Multiply (F, n_in) by a weight (n_out, n_in) and add a bias (n_out,)."""
    if not graph.is_int8:
        constants = (graph.add_constant(weight), graph.add_constant(bias))
        return graph.add("Gemm", x, *constants, transB=1)
    # A scale per output, and one of the input as it comes (ONNX: DynamicQuantizeLinear).
    scale = np.maximum(np.abs(weight).astype(np.float32).max(axis=1), 1e-12) / 127
    rounded = np.rint(weight.astype(np.float32) / scale[:, None]).astype(np.int8)
    quantised, input_scale, zero = graph.add_many("DynamicQuantizeLinear", 3, x)
    product = graph.add("MatMulInteger", quantised, graph.add_constant(rounded.T), zero)
    scales = graph.add("Mul", input_scale, graph.add_constant(scale))
    product = graph.add("Mul", graph.add("Cast", product, to=FLOAT), scales)
    return graph.add("Add", product, graph.add_constant(bias))


def add_norm(graph: Graph, x: str, weights: Weights, name: str, width: int) -> str:
    """Normalise every frame of (F, width)."""
    scale = graph.add_constant(weights.take(f"{name}.weight", width))
    bias = graph.add_constant(weights.take(f"{name}.bias", width))
    return graph.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=EPSILON)


def add_mlp(graph: Graph, x: str, weights: Weights, name: str, width: int, expansion: int) -> str:
    """Two layers with a GELU between: (F, width) to the same shape."""
    hidden = width * expansion
    x = add_linear(graph, x, weights, f"{name}.expand", width, hidden)
    return add_linear(graph, graph.add("Gelu", x), weights, f"{name}.contract", hidden, width)


def add_convolution(
    graph: Graph, x: str, weights: Weights, name: str, shape: tuple[int, ...], **attributes: object
) -> str:
    """Convolve (1, n_in, F); `shape` is that of the weight, (n_out, n_in / group, kernel)."""
    weight = graph.add_constant(weights.take(f"{name}.weight", *shape).reshape(*shape[:2], -1))
    bias = graph.add_constant(weights.take(f"{name}.bias", shape[0]))
    return graph.add("Conv", x, weight, bias, **attributes)  # type: ignore[arg-type]


def add_convnext(
    graph: Graph,
    x: str,
    weights: Weights,
    name: str,
    width: int,
    kernel: int,
    expansion: int,
    padding: tuple[int, int],
    is_2d: bool = True,
) -> str:
    """A residual ConvNeXt block on (F, width); its kernel is stored with two dimensions or one."""
    shape = (width, 1, 1, kernel) if is_2d else (width, 1, kernel)
    h = to_channels(graph, x)
    h = add_convolution(
        graph, h, weights, f"{name}.depthwise", shape, group=width, pads=list(padding)
    )
    h = add_norm(graph, to_frames(graph, h), weights, f"{name}.norm", width)
    return graph.add("Add", x, add_mlp(graph, h, weights, name, width, expansion))


def to_channels(graph: Graph, x: str) -> str:
    """Turn (F, n) into (1, n, F)."""
    axes = graph.add_constant(np.array([0]))
    return graph.add("Unsqueeze", graph.add("Transpose", x, perm=[1, 0]), axes)


def to_frames(graph: Graph, x: str) -> str:
    """Turn (1, n, F) into (F, n)."""
    axes = graph.add_constant(np.array([0]))
    return graph.add("Transpose", graph.add("Squeeze", x, axes), perm=[1, 0])
