"""The graphs of `models.source_filter_networks`: responses of the filters, and F0 from mels."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.blas import one_blas_thread
from voxcycle.audio.mel import MelSpec, hann, mel_filterbank
from voxcycle.runtime.graph import Graph
from voxcycle.runtime.layers import add_convnext, add_linear, add_norm, add_product
from voxcycle.runtime.weights import Arrays, Weights

LOG_MEL_MEAN, LOG_MEL_STD = -5.0, 2.5  # of speech at -23 dBFS, roughly: keeps inputs near unit size
LOG_F0_MEAN, LOG_F0_STD = 5.1, 0.35
MAX_LOG_GAIN = 8.0
MIN_ENVELOPE = 1e-6
MIN_NOISE_POWER = 1e-4  # beside 1, the mean: where there is none
BREATH_HZ = (1000.0, 2000.0)  # below the first a voice is all pulses, from the second on breathy
PITCH_WIDTH, PITCH_BLOCKS, PITCH_KERNEL, PITCH_EXPANSION = 64, 4, 7, 2
PITCH = "pitch."


def build_filters(
    arrays: Arrays,
    spec: MelSpec,
    graph: Graph | None = None,
    /,
    width: int = 320,
    n_blocks: int = 8,
    kernel: int = 7,
    expansion: int = 3,
    look_ahead: int = 3,
    has_prior: bool = True,
    has_phase: bool = True,
    n_fft: int | None = None,
    filters_per_frame: int = 1,
    n_sources: int = 3,
    breath: float = 0.0,
    noise_spread: float = 1.0,
) -> Graph:
    """Return the graph that shapes pulses and noise.

    It maps `mel` (F, n_mels) and `pitch` (F, 2), normalised log F0 and voicing, to `gains`
    (F * filters_per_frame, n_sources, n_freq) and, with phases, `offset` (F * filters_per_frame,
    n_freq) in radians. ValueError where the weights belong to another network.
    """
    if not 0 <= look_ahead < kernel:
        raise ValueError(f"look_ahead={look_ahead} is not from 0 to {kernel - 1}")
    n_fft = check_filters(spec, n_fft, filters_per_frame, n_sources, breath, noise_spread)
    own = {name: array for name, array in arrays.items() if not name.startswith(PITCH)}
    graph, weights = graph or Graph(), Weights(own)
    n_freq = n_fft // 2 + 1

    def constant(value: float) -> str:
        return graph.add_constant(np.array(value, np.float32))

    mel = graph.add_input("mel", ["frames", spec.n_mels])
    pitch = graph.add_input("pitch", ["frames", 2])
    x = graph.add("Concat", _normalise(graph, mel), pitch, axis=1)
    x = add_linear(graph, x, weights, "embed", spec.n_mels + 2, width)
    for index in range(n_blocks):
        ahead = look_ahead if index == 0 else 0
        x = add_convnext(
            graph,
            x,
            weights,
            f"blocks.{index}",
            width=width,
            kernel=kernel,
            expansion=expansion,
            padding=(kernel - 1 - ahead, ahead),
            is_2d=False,
        )
    x = add_norm(graph, x, weights, "norm", width)
    n_offsets = filters_per_frame * n_freq
    n_gains = n_sources * n_offsets
    weight = weights.take("out.weight", n_gains + has_phase * n_offsets, width)
    bias = weights.take("out.bias", len(weight))
    if has_phase:
        offset = add_product(graph, x, weight[n_gains:], bias[n_gains:])
        shape = graph.add_constant(np.array([-1, n_freq]))
        offset = graph.add("Reshape", offset, shape)
        graph.add_output("offset", offset, ["filters", n_freq])
    # Gains multiply where the module adds their logarithms: ONNX Runtime's Log gives other bits for
    # another number of threads.
    gains = graph.add("Exp", add_product(graph, x, weight[:n_gains], bias[:n_gains]))
    shape = graph.add_constant(np.array([-1, filters_per_frame * n_sources, n_freq]))
    gains = graph.add("Reshape", gains, shape)
    if has_prior:
        inverse = invert_filterbank(spec, n_fft)
        of_unit_noise = np.sqrt(np.square(hann(spec.n_fft)).sum())
        magnitude = graph.add(
            "MatMul", graph.add("Exp", mel), graph.add_constant(inverse.T / of_unit_noise)
        )
        envelope = graph.add("Max", magnitude, constant(MIN_ENVELOPE))
        axes = graph.add_constant(np.array([1]))
        gains = graph.add("Mul", gains, graph.add("Unsqueeze", envelope, axes))
    gains = graph.add("Min", gains, constant(math.exp(MAX_LOG_GAIN)))
    gains = graph.add("Reshape", gains, graph.add_constant(np.array([-1, n_sources, n_freq])))
    if breath:
        gains = _add_breath(graph, gains, breath_shares(breath, n_fft, spec), n_sources)
    graph.add_output("gains", gains, ["filters", n_sources, n_freq])
    weights.require_empty()
    return graph


def _add_breath(graph: Graph, gains: str, shares: NDArray[np.float32], n_sources: int) -> str:
    """Add what moves shares of the pulses' amplitude to the bursts, the last source."""
    parts = [
        graph.add("Gather", gains, graph.add_constant(np.array(part)), axis=1)
        for part in ([0], list(range(1, n_sources - 1)), [n_sources - 1])
    ]
    pulses, noises, bursts = parts
    moved = graph.add("Mul", pulses, graph.add_constant(shares))
    power = graph.add("Add", graph.add("Mul", bursts, bursts), graph.add("Mul", moved, moved))
    pulses = graph.add("Mul", pulses, graph.add_constant(np.sqrt(1 - shares**2)))
    return graph.add("Concat", pulses, noises, graph.add("Sqrt", power), axis=1)


def breath_shares(breath: float, n_fft: int, spec: MelSpec) -> NDArray[np.float32]:
    """Return what share of the pulses' amplitude becomes bursts, per frequency, (n_freq,)."""
    hertz = np.arange(n_fft // 2 + 1) * spec.sample_rate / n_fft
    return np.interp(hertz, BREATH_HZ, (0.0, breath)).astype(np.float32)


def spread_factor(power: Any, spread: float) -> Any:
    """Return the factor on a noise's spectrum, of an array or tensor of its power, 1 in the mean.

    Magnitudes of Gaussian noise are Rayleigh distributed. They are raised to `spread` and
    divided by the root of their mean square, which is then `gamma(1 + spread)`.
    """
    return (power + MIN_NOISE_POWER) ** ((spread - 1) / 2) / math.sqrt(math.gamma(1 + spread))


def check_filters(
    spec: MelSpec,
    n_fft: int | None,
    filters_per_frame: int,
    n_sources: int,
    breath: float,
    noise_spread: float,
) -> int:
    """Return the FFT size of the filters, by default the mel's; ValueError where they cannot be."""
    hop, n_fft = spec.hop_length // max(filters_per_frame, 1), n_fft or spec.n_fft
    if n_sources not in (3, 4):
        raise ValueError(f"n_sources={n_sources} is not 3 or 4")
    if not 0 <= breath < 1 or breath and n_sources < 4:
        raise ValueError(f"breath={breath} is not from 0 to 1, or there are no bursts")
    if not 0 <= noise_spread <= 1:
        raise ValueError(f"noise_spread={noise_spread} is not from 0 to 1")
    if filters_per_frame < 1 or spec.hop_length % filters_per_frame:
        raise ValueError(f"filters_per_frame={filters_per_frame} does not divide the hop")
    if spec.n_fft % n_fft or n_fft < 2 * hop or n_fft % hop or (n_fft - hop) % 2:
        raise ValueError(f"n_fft={n_fft} does not fit the mels' {spec.n_fft} and a hop of {hop}")
    return n_fft


def invert_filterbank(spec: MelSpec, n_fft: int) -> NDArray[np.float64]:
    """Return the pseudo-inverse of the mel filterbank at the filters' frequencies (n_freq, n_mels).

    The filters' FFT size divides the mel's, so theirs are some of its frequencies.
    """
    with one_blas_thread():
        inverse = np.linalg.pinv(mel_filterbank(spec).astype(np.float64))
    return inverse[:: spec.n_fft // n_fft]


def build_pitch(arrays: Arrays, spec: MelSpec) -> Graph:
    """Return the graph that maps `mel` (F, n_mels) to `pitch` (F, 2): logit of voicing, log F0."""
    own = {n.removeprefix(PITCH): array for n, array in arrays.items() if n.startswith(PITCH)}
    graph, weights = Graph(), Weights(own)
    x = _normalise(graph, graph.add_input("mel", ["frames", spec.n_mels]))
    x = add_linear(graph, x, weights, "embed", spec.n_mels, PITCH_WIDTH)
    for index in range(PITCH_BLOCKS):
        x = add_convnext(
            graph,
            x,
            weights,
            f"blocks.{index}",
            width=PITCH_WIDTH,
            kernel=PITCH_KERNEL,
            expansion=PITCH_EXPANSION,
            padding=(PITCH_KERNEL // 2, PITCH_KERNEL // 2),
            is_2d=False,
        )
    x = add_linear(graph, x, weights, "out", PITCH_WIDTH, 2)
    scale = graph.add_constant(np.array([1.0, LOG_F0_STD]))
    mean = graph.add_constant(np.array([0.0, LOG_F0_MEAN]))
    graph.add_output("pitch", graph.add("Add", graph.add("Mul", x, scale), mean), ["frames", 2])
    weights.require_empty()
    return graph


def count_context_frames(
    spec: MelSpec, n_blocks: int = 8, kernel: int = 7, n_fft: int | None = None, **_: object
) -> int:
    """Return how many frames to either side an output sample depends on.

    The network's own reach, and the frames that share samples with one of its frames.
    """
    return n_blocks * (kernel - 1) + -(-(n_fft or spec.n_fft) // spec.hop_length)


def count_look_ahead_frames(
    spec: MelSpec,
    look_ahead: int = 3,
    n_fft: int | None = None,
    filters_per_frame: int = 1,
    **_: object,
) -> int:
    """Return how many frames after its own an output sample depends on.

    A sample is in windows of filters up to `overlap` frames ahead, whose network sees `look_ahead`
    further; and these windows hold sources of further frames, whose F0 leads to the next one.
    """
    n_fft, hop = n_fft or spec.n_fft, spec.hop_length
    overlap = -(-(n_fft - hop // filters_per_frame) // (2 * hop))
    return max(overlap + look_ahead, -(-n_fft // hop) + 1)


def _normalise(graph: Graph, mel: str) -> str:
    mean, std = (graph.add_constant(np.array(x, np.float32)) for x in (LOG_MEL_MEAN, LOG_MEL_STD))
    return graph.add("Div", graph.add("Sub", mel, mean), std)
