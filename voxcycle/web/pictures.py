"""What the page draws of a recording: mels and F0 in at most 2,000 columns, in bounded memory."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.activity import find_activity
from voxcycle.audio.io import FileSource
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.mixdown import plan_mixdown
from voxcycle.audio.resample import resample_blocks, resampled_length

MAX_COLUMNS = 2000
PIECE_S = 30.0  # analysed at once
DYNAMIC_RANGE = 8.0  # of natural logarithm of magnitude below the loudest: 70 dB


def draw(path: Path) -> dict[str, Any]:
    """Return seconds, mel picture and F0 of a recording as plain values.

    `data` holds bytes in base64, a column after the other, the lowest band first; 0 is quiet, 255
    the loudest. AudioError where the file cannot be read.
    """
    spec = MelSpec()
    source = FileSource(path)
    mixdown = plan_mixdown(source)
    n_samples = resampled_length(mixdown.n_samples, source.sample_rate, spec.sample_rate)
    stride = max(1, -(-n_samples // spec.hop_length // MAX_COLUMNS))
    to_mel = LogMel(spec)
    columns, contour = [], []
    blocks = resample_blocks(
        mixdown.mono_blocks(source), source.sample_rate, spec.sample_rate, n_samples
    )
    for piece in _pieces(blocks, _piece_samples(spec, stride)):
        mel = to_mel(piece)  # (F, n_mels)
        f0_hz = find_activity(piece, spec).f0_hz
        n_frames = min(len(mel), len(f0_hz))
        for start in range(0, n_frames, stride):
            columns.append(mel[start : start + stride].max(0))
            contour.append(_middle(f0_hz[start : start + stride]))
    picture = np.array(columns, np.float32).reshape(-1, spec.n_mels)
    loudest = float(picture.max()) if picture.size else 0.0
    levels = np.clip(1 + (picture - loudest) / DYNAMIC_RANGE, 0, 1)
    data = base64.b64encode(np.round(255 * levels).astype(np.uint8).tobytes()).decode("ascii")
    return {
        "seconds": round(mixdown.n_samples / source.sample_rate, 3),
        "mel": {"frames": len(picture), "bands": spec.n_mels, "data": data},
        "f0_hz": contour,
    }


def _piece_samples(spec: MelSpec, stride: int) -> int:
    """Return the samples of a piece, whole columns."""
    columns = max(1, round(PIECE_S * spec.frame_rate / stride))
    return columns * stride * spec.hop_length


def _pieces(blocks: Iterator[NDArray[np.float32]], n_samples: int) -> Iterator[NDArray[np.float32]]:
    """Yield pieces (T,) of one length; the last one is shorter."""
    held: list[NDArray[np.float32]] = []
    n_held = 0
    for block in blocks:
        held.append(block)
        n_held += len(block)
        while n_held >= n_samples:
            joined = np.concatenate(held)
            yield joined[:n_samples]
            held, n_held = [joined[n_samples:]], n_held - n_samples
    if n_held >= MelSpec().n_fft:
        yield np.concatenate(held)


def _middle(f0_hz: NDArray[np.float32]) -> float:
    """Return the median F0 of a column, 0 where most of it has no voice."""
    voiced = f0_hz[f0_hz > 0]
    return round(float(np.median(voiced)), 1) if 2 * len(voiced) >= len(f0_hz) else 0.0
