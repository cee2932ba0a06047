"""Scores of one utterance, and how they are kept as JSON."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from voxcycle.evaluation.metrics.asr import ErrorCount
from voxcycle.evaluation.metrics.pitch import PitchErrors


@dataclass(frozen=True)
class UtteranceScores:
    """Scores of one utterance; None where a metric was not asked for or failed.

    Attributes:
        row: name of the system that made the audio.
        recording_sha256: of the recording's file, 16 digits.
        words_reference: what words are compared with: "text", or "source" for the transcript of
            the recording. All words are lost where nothing was rendered or heard.
        pitch: F0 errors against the requested contour; what could not be rendered is unvoiced.
        modulation_db: distance of the modulation spectrum from that of the target's recordings.
        mcd_db: mel-cepstral distortion against the target's recording of the same sentence; of
            copy synthesis against the recording that it is made of. F0 along the same path.
        failures: what could not be scored, and why.
    """

    row: str
    speaker: str
    sentence: str
    recording_sha256: str | None = None
    duration_s: float | None = None
    secs_target: float | None = None
    secs_source: float | None = None
    words_reference: str | None = None
    words: ErrorCount | None = None
    characters: ErrorCount | None = None
    transcript: str | None = None
    distillmos: float | None = None
    dnsmos: float | None = None
    pitch: PitchErrors | None = None
    modulation_db: float | None = None
    mcd_db: float | None = None
    parallel_f0_rmse_semitones: float | None = None
    parallel_f0_correlation: float | None = None
    failures: tuple[str, ...] = ()

    @property
    def nearer_target(self) -> bool | None:
        """Whether the audio is more similar to the target than to the source."""
        if self.secs_source is None or self.secs_target is None:
            return None
        return self.secs_target > self.secs_source

    @property
    def composite(self) -> float | None:
        """Mean of similarity, words kept and naturalness, each 0 to 1; None without any of them.

        `secs_target`, `1 - CER` and `(DistillMOS - 1) / 4`; failed metrics count as 0, metrics
        that were not requested are omitted. It orders utterances and picks weights in training; it
        is not a result.
        """
        failed = {failure.split(":")[0] for failure in self.failures}
        if "rendering" in failed:
            return 0.0
        error_rate = self.characters and finite(self.characters.rate)
        parts = {
            "similarity": self.secs_target,
            "words": None if error_rate is None else 1 - min(1.0, error_rate),
            "distillmos": None if self.distillmos is None else (self.distillmos - 1) / 4,
        }
        known = [
            0.0 if part is None else part
            for name, part in parts.items()
            if part is not None or name in failed
        ]
        return float(np.mean(known)) if known else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, counts by name and with their rates."""
        values = asdict(self) | {"failures": list(self.failures), "composite": self.composite}
        for name, count in (("words", self.words), ("characters", self.characters)):
            values[name] = count and {**count._asdict(), "rate": finite(count.rate)}
        values["pitch"] = self.pitch and {
            **self.pitch._asdict(),
            "rmse_semitones": finite(self.pitch.rmse_semitones),
            "gross_rate": finite(self.pitch.gross_rate),
            "voicing_error_rate": finite(self.pitch.voicing_error_rate),
        }
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "UtteranceScores":
        """Build from `to_dict`'s result, rates and composite computed again."""
        known = {k: v for k, v in values.items() if k in cls.__dataclass_fields__}
        for name, kind in (
            ("words", ErrorCount),
            ("characters", ErrorCount),
            ("pitch", PitchErrors),
        ):
            if known.get(name):
                known[name] = kind(**{k: known[name][k] for k in kind._fields})
        return cls(**known | {"failures": tuple(known.get("failures", ()))})


def finite(value: float) -> float | None:
    """Return a value, or None for NaN and infinity."""
    return value if np.isfinite(value) else None  # JSON has no NaN
