"""Noise removal by GTCRN (Rong et al., 2024), and when it helps."""

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.level import to_db

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Denoise = Literal["auto", "on", "off"]
DENOISE_RATE = 16_000
N_FFT, HOP = 512, 256
# The network's memory of former frames: convolutions, attention, recurrence.
CACHES = {
    "conv_cache": (2, 1, 16, 16, 33),
    "tra_cache": (2, 3, 1, 1, 16),
    "inter_cache": (2, 1, 33, 16),
}
FLOOR_PERCENTILE = 3.0  # of the frames' levels: what is left between words
FLOOR_RANGE_DB = 3.0
MIN_UNVOICED_SHARE = 0.75  # of the frames at the floor; held notes and other voices have less
MIN_SPEECH_TO_FLOOR_DB = 16.0  # less is noise that costs more words than its removal


@functools.cache
def load_denoiser() -> "InferenceSession":
    """Return the network; one thread, so that results do not depend on the machine's cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = Path(__file__).with_name("gtcrn.onnx")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def speech_to_floor_db(
    power: NDArray[np.float64], f0_hz: NDArray[np.float32], level_db: float
) -> float:
    """Return how far noise is below the speech; inf where what is softest is voiced.

    Args:
        power: mean power of each frame without rumble, (F,).
        f0_hz: (F,), 0 where unvoiced.
        level_db: level of the speech, dBFS.
    """
    frames_db = to_db(power)
    floor_db = float(np.percentile(frames_db, FLOOR_PERCENTILE))
    is_soft = frames_db <= floor_db + FLOOR_RANGE_DB
    is_noise = (f0_hz[is_soft] == 0).mean() >= MIN_UNVOICED_SHARE
    return level_db - floor_db if is_noise else float("inf")


def denoise_blocks(blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Yield consecutive blocks at 16 kHz without their noise, and some silence at the end.

    Nothing is delayed. How the samples are cut into blocks changes nothing.
    """
    network = load_denoiser()
    window = np.sqrt(np.hanning(N_FFT + 1)[:-1])
    caches = [np.zeros(shape, np.float32) for shape in CACHES.values()]
    waiting, overlap = np.zeros(HOP, np.float32), np.zeros(HOP)
    is_first = True  # the first half frame lies before the recording
    for block in _with_end(blocks):
        waiting = np.concatenate([waiting, block])
        made = []
        while len(waiting) >= N_FFT:
            spectrum = np.fft.rfft(waiting[:N_FFT] * window)
            waiting = waiting[HOP:]
            mix = np.stack([spectrum.real, spectrum.imag], -1).astype(np.float32)
            inputs = dict(zip(CACHES, caches, strict=True)) | {"mix": mix[None, :, None]}
            enhanced, *caches = network.run(None, inputs)
            parts = enhanced[0, :, 0]
            frame = np.fft.irfft(parts[:, 0] + 1j * parts[:, 1]) * window
            made.append(overlap + frame[:HOP])
            overlap = frame[HOP:]
        if made:
            yield np.concatenate(made)[HOP if is_first else 0 :].astype(np.float32)
            is_first = False


def _with_end(blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Yield blocks, then the silence that brings their last samples out."""
    n_samples = 0
    for block in blocks:
        n_samples += len(block)
        yield block
    yield np.zeros(N_FFT + -n_samples % HOP, np.float32)
