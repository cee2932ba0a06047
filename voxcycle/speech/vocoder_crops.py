"""Crops of recordings with their analysis, for a vocoder: batch i is a function of seed and i."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from voxcycle.audio.f0 import limit_f0
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.source_signals import NOISE_LEAD_FRAMES, onset_phases, source_signals
from voxcycle.methods.batches import VocoderBatch
from voxcycle.speech.config import VocoderTrainingConfig

MAX_GAIN_DB = 6.0
MAX_ERROR_FRAMES = 12


class Recording(NamedTuple):
    """A recording at the analysis level: (T,) in int16, log-mels (F, n_mels), F0, speech (F,)."""

    samples: NDArray[np.int16]
    mel: NDArray[np.float16]
    f0_hz: NDArray[np.float32]
    speech: NDArray[np.bool_]


class VocoderCrops(Dataset[VocoderBatch]):
    """Batches of crops, recordings drawn by their length; endless.

    Args:
        config: sizes, shares and seed.
        recordings: those shorter than a crop are skipped.
        spec: the mel analysis.
        converted: recordings with mels converted by a voice.
    """

    def __init__(
        self,
        config: VocoderTrainingConfig,
        recordings: Sequence[Recording],
        spec: MelSpec,
        converted: Sequence[Recording] = (),
    ) -> None:
        n_frames, share = config.n_frames, config.converted_share
        pools = [[r for r in pool if len(r.f0_hz) >= n_frames] for pool in (recordings, converted)]
        self.recordings = pools[0] + pools[1]
        self.n_frames_recorded = sum(len(r.f0_hz) for r in pools[0])
        if not pools[0]:
            raise ValueError(f"no recording is as long as a crop of {n_frames} frames")
        self.config, self.spec = config, spec
        shares = (1 - share, share) if pools[1] else (1.0, 0.0)
        self.shares = np.concatenate(
            [
                share * lengths / max(lengths.sum(), 1.0)
                for share, pool in zip(shares, pools, strict=True)
                for lengths in [np.array([len(r.f0_hz) for r in pool], float)]
            ]
        )

    def __getitem__(self, index: int) -> VocoderBatch:
        rng = np.random.default_rng([self.config.seed, index])
        items = [self._draw(rng) for _ in range(self.config.batch_size)]
        waveform, mel, spoken_f0_hz, f0_hz = (
            torch.from_numpy(np.stack(column)) for column in zip(*items, strict=True)
        )
        lead = NOISE_LEAD_FRAMES * self.spec.hop_length
        noises = rng.standard_normal((len(items), lead + waveform.shape[1]), np.float32)
        sources = [
            source_signals(f0, onset_phases(f0, self.spec), noise, self.spec, self.config.n_sources)
            for f0, noise in zip(f0_hz.numpy(), noises, strict=True)
        ]
        return VocoderBatch(
            waveform=waveform,
            log_mel=mel.transpose(1, 2),
            spoken_f0_hz=spoken_f0_hz,
            f0_hz=f0_hz,
            sources=torch.from_numpy(np.stack(sources)),
            step=index,
        )

    def _draw(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], ...]:
        """Draw a crop's waveform, its mel, its F0, and the F0 as input of the network."""
        recording = self.recordings[rng.choice(len(self.shares), p=self.shares)]
        start = int(rng.integers(len(recording.f0_hz) - self.config.n_frames + 1))
        stop = start + self.config.n_frames
        hop = self.spec.hop_length
        gain_db = rng.uniform(-MAX_GAIN_DB, MAX_GAIN_DB)
        gain = np.float32(10 ** (gain_db / 20))
        samples = recording.samples[start * hop : stop * hop].astype(np.float32) / 32768
        # A gain on the log-mel is a sum; values at its floor stay there.
        mel = recording.mel[start:stop].astype(np.float32) + np.log(gain)
        mel = np.maximum(mel, np.float32(np.log(self.spec.log_floor)))
        f0_hz = recording.f0_hz[start:stop].astype(np.float32)
        given = corrupt_f0(f0_hz, rng) if rng.random() < self.config.error_share else f0_hz
        return (samples * gain).astype(np.float32), mel, f0_hz, given


def corrupt_f0(f0_hz: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a contour (F,) with one error of a tracker, of up to 12 frames.

    An octave up or down, or voicing that is lost or invented.
    """
    length = int(rng.integers(1, MAX_ERROR_FRAMES + 1))
    start = int(rng.integers(max(1, len(f0_hz) - length + 1)))
    part = slice(start, start + length)
    out = f0_hz.copy()
    kind = rng.choice(("octave up", "octave down", "lost", "invented"))
    if kind == "octave up":
        out[part] *= 2
    elif kind == "octave down":
        out[part] /= 2
    elif kind == "lost":
        out[part] = 0
    else:
        out[part] = np.where(out[part] > 0, out[part], np.exp(rng.uniform(np.log(80), np.log(300))))
    return limit_f0(out)
