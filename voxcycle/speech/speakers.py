"""A speaker's recordings and statistics, as trainings take them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import (
    DomainStats,
    FrameSums,
    add_sums,
    compute_stats,
    estimate_stats,
    sum_frames,
)
from voxcycle.speech.features import Features

BLOCK_S = 2.0  # grain of the subsets from which a source's statistics are estimated
SUBSET_S = (2.0, 30.0)
SHORT_SPEAKER_S = 30.0  # shorter speakers have shrunk statistics and no resyntheses


@dataclass(frozen=True)
class Speaker:
    """One speaker's features and statistics.

    Attributes:
        name: for messages.
        recordings: features of each file; files shorter than a crop are padded.
        stats: of all recordings together.
        blocks: sums over consecutive blocks of 2 s.
        embeddings: (N, D), unit vectors of segments; None without a speaker encoder.
    """

    name: str
    recordings: list[Features]
    stats: DomainStats
    blocks: list[FrameSums]
    embeddings: NDArray[np.float32] | None = None

    @property
    def embedding(self) -> NDArray[np.float32] | None:
        """The speaker's embedding, (D,); None without a speaker encoder."""
        return None if self.embeddings is None else average_embedding(self.embeddings)

    @property
    def centre(self) -> NDArray[np.float32]:
        """The mean centre of the recordings' content, (D + 1,); ValueError if none was heard."""
        centres = [r.centre for r in self.recordings if r.centre is not None]
        if not centres:
            raise ValueError(f"{self.name}: no recording with content")
        return np.mean(centres, axis=0)

    def duration_s(self, spec: MelSpec) -> float:
        """Return the length of all recordings."""
        return sum(len(recording.f0_hz) for recording in self.recordings) / spec.frame_rate


def build_speaker(name: str, recordings: list[Features], spec: MelSpec) -> Speaker:
    """Compute a speaker's statistics; ValueError where nothing is voiced."""
    length = round(BLOCK_S * spec.frame_rate)
    blocks = []
    for recording in recordings:
        for start in range(0, len(recording.speech), length):
            part = slice(start, start + length)
            mel = recording.mels[0][part].astype(np.float32)
            blocks.append(sum_frames(mel, recording.f0_hz[part], recording.speech[part]))
    return Speaker(name, recordings, compute_stats(add_sums(blocks)), blocks)


def draw_stats(speaker: Speaker, prior: DomainStats, rng: np.random.Generator) -> DomainStats:
    """Estimate a speaker's statistics from a random stretch of 2-30 s, as conversion does."""
    seconds = np.exp(rng.uniform(*np.log(SUBSET_S)))
    n_blocks = min(len(speaker.blocks), max(1, round(seconds / BLOCK_S)))
    start = rng.integers(len(speaker.blocks) - n_blocks + 1)
    return estimate_stats(add_sums(speaker.blocks[start : start + n_blocks]), prior)


def average_embedding(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the normalised mean (D,) of unit vectors (N, D)."""
    mean = embeddings.mean(0)
    return (mean / np.linalg.norm(mean)).astype(np.float32)


def draw_embedding(speaker: Speaker, rng: np.random.Generator) -> NDArray[np.float32] | None:
    """Return the embedding of a random stretch, as a few seconds of a reference give it."""
    if speaker.embeddings is None:
        return None
    n = len(speaker.embeddings)
    n_taken = max(1, round(n ** rng.random()))
    start = rng.integers(n - n_taken + 1)
    return average_embedding(speaker.embeddings[start : start + n_taken])


def shrink_stats(speaker: Speaker, prior: DomainStats, spec: MelSpec) -> Speaker:
    """Shrink the statistics of a speaker of less than 30 s to a prior; return others unchanged."""
    if speaker.duration_s(spec) >= SHORT_SPEAKER_S:
        return speaker
    return replace(speaker, stats=estimate_stats(add_sums(speaker.blocks), prior))
