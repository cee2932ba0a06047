"""How a recording is converted, and what comes out."""

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.denoise import Denoise
from voxcycle.audio.io import check_sample_rate
from voxcycle.audio.stats import DomainStats

Pitch = float | Literal["auto", "keep", "sing"]
MAX_SHIFT_SEMITONES = 24
Background = Literal["remove", "keep"]


@dataclass(frozen=True)
class Options:
    """How to convert.

    Attributes:
        pitch: "auto" moves the source's F0 to the target's range, "sing" to the target's mean with
            all intervals kept, "keep" leaves it, a number adds semitones to "auto". Intervals are
            also kept where F0 holds notes that span more than 16 semitones.
        output_rate: sample rate of the output in Hz; None keeps the input's.
        use_file_stats: take the file's own statistics where the voice was trained on one source
            speaker (any-to-one voices always do). They move F0 and, for voices on mels, normalise.
        second_pass: share of a second conversion, which removes more of the source speaker and
            costs words, 0 to 1; None takes the voice's own. Voices that hear what is said have
            none.
        background: "remove" attenuates pauses, "keep" puts the input's own background there,
            unconverted.
        denoise: "auto" removes the noise of the input first where what is left between words is
            less than 16 dB below them, "on" always, "off" never.
    """

    pitch: Pitch = "auto"
    output_rate: int | None = None
    use_file_stats: bool = False
    second_pass: float | None = None
    background: Background = "remove"
    denoise: Denoise = "auto"

    def __post_init__(self) -> None:
        is_known = self.pitch in ("auto", "keep", "sing")
        if not is_known and (isinstance(self.pitch, str) or not math.isfinite(self.pitch)):
            raise ValueError(
                f"pitch {self.pitch!r}: auto, keep, sing or a number of semitones is needed"
            )
        if not isinstance(self.pitch, str) and abs(self.pitch) > MAX_SHIFT_SEMITONES:
            raise ValueError(
                f"pitch {self.pitch}: at most {MAX_SHIFT_SEMITONES} semitones either way"
            )
        if self.second_pass is not None and not 0 <= self.second_pass <= 1:
            raise ValueError(f"second_pass {self.second_pass}: a number from 0 to 1 is needed")
        if self.background not in ("remove", "keep"):
            raise ValueError(f"background {self.background!r}: remove or keep is needed")
        if self.denoise not in ("auto", "on", "off"):
            raise ValueError(f"denoise {self.denoise!r}: auto, on or off is needed")
        if self.output_rate is not None:
            rate = check_sample_rate(self.output_rate, "the output")
            object.__setattr__(self, "output_rate", rate)  # a whole float is one, too


@dataclass(frozen=True)
class Conversion:
    """A converted recording.

    Attributes:
        waveform: (T,) in [-1, 1]; empty where it was written to a file.
        sample_rate: in Hz.
        n_samples: length at `sample_rate`.
        f0_hz: the F0 that was asked for, per mel frame, (F,), 0 where unvoiced.
        source_stats: what moved F0 and, for voices on mels, normalised the source.
        notes: what its owner should know, each one sentence part.
        seconds: time spent by stage.
    """

    waveform: NDArray[np.float32] = field(repr=False)
    sample_rate: int
    n_samples: int
    f0_hz: NDArray[np.float32] = field(repr=False)
    source_stats: DomainStats = field(repr=False)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
