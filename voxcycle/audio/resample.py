"""Sample-rate conversion: any ratio, in blocks, without delay.

soxr rather than torchaudio: torchaudio's kernel grows with the reduced ratio (44,099 to 22,050 Hz
would take 4 GB) and it cannot stream. Blocks give the same bits as the whole.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray


def resample_blocks(
    blocks: Iterable[NDArray[np.float32]], from_rate: int, to_rate: int, n_samples: int
) -> Iterator[NDArray[np.float32]]:
    """Resample consecutive mono blocks (T,); the results have `n_samples` samples in all."""
    import soxr

    def resampled() -> Iterator[NDArray[np.float32]]:
        stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality="HQ")
        for block in blocks:
            yield stream.resample_chunk(np.ascontiguousarray(block, np.float32))
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)

    missing = n_samples
    for block in blocks if from_rate == to_rate else resampled():
        kept = block[:missing]
        missing -= len(kept)
        if len(kept):
            yield kept
    if missing > 0:
        yield np.zeros(missing, np.float32)


def resample(waveform: NDArray[np.float32], from_rate: int, to_rate: int) -> NDArray[np.float32]:
    """Resample a waveform (T,) to (resampled_length(T),)."""
    n_samples = resampled_length(len(waveform), from_rate, to_rate)
    return np.concatenate(list(resample_blocks([waveform], from_rate, to_rate, n_samples)))


def resampled_length(n_samples: int, from_rate: int, to_rate: int) -> int:
    """Return the number of samples at `to_rate` that last as long, rounded."""
    return (n_samples * to_rate * 2 + from_rate) // (2 * from_rate)
