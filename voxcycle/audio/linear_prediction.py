"""Samples in few bytes: linear prediction and Rice codes, as FLAC has them, by NumPy alone.

Every block of samples has its own predictor and assumes silence before it, so that all blocks of
all recordings are restored at once, sample by sample. Arithmetic is in integers: the restored
samples are the same bits on every machine.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.rice import Bytes, decode_integers, encode_integers

BLOCK, ORDER = 2048, 16
BINARY_PLACES, LARGEST = 11, 1 << 14  # of a coefficient; the largest is 8
RIDGE = 1e-6  # of a block's power, added to it: keeps the equations solvable
LAG_WINDOW = 1.25e-3  # radians per lag: widens sharp peaks, whose predictors need many digits
MAX_DROPPED_BITS = 8


class EncodedSamples(NamedTuple):
    """A recording of n blocks.

    Attributes:
        predictors: (n, ORDER).
        dropped_bits: (n,), low bits of the samples that were rounded away.
        residual: code of what the predictors leave.
    """

    predictors: NDArray[np.int16]
    dropped_bits: NDArray[np.uint8]
    residual: Bytes

    @property
    def n_bytes(self) -> int:
        """The size."""
        return self.predictors.nbytes + self.dropped_bits.nbytes + len(self.residual)


def encode_samples(samples: NDArray[np.int16], steps_per_rms: int | None = None) -> EncodedSamples:
    """Encode a recording (T,), without loss unless `steps_per_rms` is given.

    With it, a block is rounded to the coarsest power of two of which its RMS has so many: 256 leave
    the error 59 dB below the block. An error is half a step at most.
    """
    n_blocks = max(1, -(-len(samples) // BLOCK))
    padded = np.pad(samples.astype(np.int64), (0, n_blocks * BLOCK - len(samples)))
    blocks = padded.reshape(n_blocks, BLOCK)
    dropped = np.zeros(n_blocks, np.int64)
    if steps_per_rms is not None:
        rms = np.sqrt(np.square(blocks.astype(np.float64)).mean(1))
        coarsest = np.floor(np.log2(np.maximum(rms / steps_per_rms, 1.0)))
        dropped = np.minimum(coarsest.astype(np.int64), MAX_DROPPED_BITS)
        blocks = np.rint(blocks / (1 << dropped)[:, None]).astype(np.int64)
    predictors = _find_predictors(blocks.astype(np.float64))
    before = np.pad(blocks, ((0, 0), (ORDER, 0)))
    predicted = np.zeros_like(blocks)
    for lag in range(1, ORDER + 1):
        delayed = before[:, ORDER - lag : ORDER - lag + BLOCK]
        predicted += predictors[:, lag - 1 : lag].astype(np.int64) * delayed
    residual = (blocks - (predicted >> BINARY_PLACES)).reshape(-1)[: len(samples)]
    return EncodedSamples(predictors, dropped.astype(np.uint8), encode_integers(residual))


def decode_samples(encoded: Sequence[EncodedSamples]) -> list[NDArray[np.int16]]:
    """Return the samples (T,) of every recording; ValueError where a code is damaged."""
    if not encoded:
        return []
    residuals = [decode_integers(one.residual) for one in encoded]
    counts = [len(one.predictors) for one in encoded]
    starts = np.cumsum([0, *counts])
    # Time is the first axis: every step reads and writes whole rows.
    x = np.zeros((ORDER + BLOCK, starts[-1]), np.int64)
    for residual, start, count in zip(residuals, starts[:-1], counts, strict=True):
        missing = count * BLOCK - len(residual)
        if not 0 <= missing <= BLOCK:
            raise ValueError("samples whose blocks do not fit their number")
        x[ORDER:, start : start + count] = np.pad(residual, (0, missing)).reshape(count, BLOCK).T
    # The last weight belongs to the sample before.
    predictors = np.concatenate([one.predictors for one in encoded])
    weights = np.ascontiguousarray(predictors[:, ::-1].T.astype(np.int64))
    for t in range(ORDER, ORDER + BLOCK):
        x[t] += (weights * x[t - ORDER : t]).sum(0) >> BINARY_PLACES
    x <<= np.concatenate([one.dropped_bits for one in encoded]).astype(np.int64)
    restored = x[ORDER:].clip(-32768, 32767).astype(np.int16)
    return [
        restored[:, start : start + count].T.reshape(-1)[: len(residual)]
        for residual, start, count in zip(residuals, starts[:-1], counts, strict=True)
    ]


def _find_predictors(blocks: NDArray[np.float64]) -> NDArray[np.int16]:
    """Return rounded predictors (n, ORDER) by the autocorrelation of blocks (n, BLOCK)."""
    spectrum = np.fft.rfft(blocks * np.hanning(BLOCK), 2 * BLOCK)
    lags = np.fft.irfft(np.abs(spectrum) ** 2)[:, : ORDER + 1]
    lags *= np.exp(-0.5 * (LAG_WINDOW * np.arange(ORDER + 1)) ** 2)
    lags[:, 0] = lags[:, 0] * (1 + RIDGE) + 1.0
    distance = np.abs(np.arange(ORDER)[:, None] - np.arange(ORDER))
    found = np.linalg.solve(lags[:, distance], lags[:, 1:, None])[..., 0]
    return np.rint(found * (1 << BINARY_PLACES)).clip(-LARGEST, LARGEST).astype(np.int16)
