"""Features of a recording: its log-mel, its F0 and its frames of speech.

Trainings from a pack import this without the libraries that read audio files.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.activity import find_activity
from voxcycle.audio.f0 import limit_f0
from voxcycle.audio.mel import LogMel, MelSpec


class Features(NamedTuple):
    """Features of one recording.

    Attributes:
        mels: (n, F, n_mels) log-mels at the analysis level, fp16, one per perturbation; index 0 is
            the recording itself. Of what is heard it is the only one.
        f0_hz: (F,), 0 where unvoiced.
        speech: (F,), the frames that are speech.
        content: (n_heard, F, D + 1), what generators hear of it, see `hear_variants`; None where it
            was not asked for.
        centre: (D + 1,), what was subtracted from the first of them.
    """

    mels: NDArray[np.float16]
    f0_hz: NDArray[np.float32]
    speech: NDArray[np.bool_]
    content: NDArray[np.float16] | None = None
    centre: NDArray[np.float32] | None = None


def extract_features(path: Path, spec: MelSpec) -> Features:
    """Compute the features of a file, unperturbed."""
    from voxcycle.audio.mixdown import load_mono

    return analyse_waveform(load_mono(path, spec.sample_rate), spec)


def analyse_waveform(waveform: NDArray[np.float32], spec: MelSpec) -> Features:
    """Compute the features of a recording (T,) of any level, unperturbed."""
    activity = find_activity(waveform, spec)
    mels = LogMel(spec)(activity.level(waveform))[None].astype(np.float16)
    return Features(mels, limit_f0(activity.f0_hz), activity.speech)


def load_analysis_waveform(path: Path, spec: MelSpec) -> NDArray[np.float32]:
    """Read a recording as mono, resampled, at the analysis level, (T,)."""
    from voxcycle.audio.mixdown import load_mono

    waveform = load_mono(path, spec.sample_rate)
    return find_activity(waveform, spec).level(waveform)
