"""The source-filter vocoder: a network shapes a pulse train and noise in the STFT domain."""

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxcycle.artifacts import VOCODER, building, check_sizes, read_artifact, write_artifact
from voxcycle.audio.f0 import F0_MAX_HZ, F0_MIN_HZ, FORMER_TRACKER, TRACKER
from voxcycle.audio.mel import MelSpec, hann
from voxcycle.audio.source_signals import (
    NOISE_LEAD_FRAMES,
    noise_blocks,
    onset_phases,
    source_signals,
)
from voxcycle.runtime.session import Session, without_sessions
from voxcycle.runtime.source_filter import (
    LOG_F0_MEAN,
    LOG_F0_STD,
    build_filters,
    build_pitch,
    count_context_frames,
    count_look_ahead_frames,
    spread_factor,
)
from voxcycle.runtime.weights import StoredNetwork
from voxcycle.vocoders import ChunkPosition

RETIRED_ARGUMENTS = {"has_puffs": True, "sees_source": False, "voiced_noise": 1.0}
MIN_WEIGHT = 1e-3  # of overlapping windows, at the ends
PIECE_FRAMES = 128  # transformed at a time, which keeps them in the processor's cache


@dataclass(frozen=True)
class SourceFilter:
    """Renders mels and F0 by `models.source_filter_networks.SourceFilterVocoder`; see `Vocoder`.

    `about` says how it was trained; files that name no tracker are from DIO's time. `filters` runs
    in place of the graph that is made of the network.
    """

    network: StoredNetwork
    spec: MelSpec
    about: dict[str, Any] = field(default_factory=dict)
    name: str = "source-filter"
    f0_tracker: str = TRACKER
    follows_f0: bool = True
    filters: Session | None = None

    __getstate__ = without_sessions

    @property
    def context_frames(self) -> int:
        """See `Vocoder`."""
        return count_context_frames(self.spec, **self.network.arguments)

    @property
    def look_ahead_frames(self) -> int:
        """See `Vocoder`."""
        return count_look_ahead_frames(self.spec, **self.network.arguments)

    def decode(
        self,
        log_mel: NDArray[np.float32],
        f0_hz: NDArray[np.float32] | None = None,
        position: ChunkPosition | None = None,
    ) -> NDArray[np.float32]:
        """Render (F, n_mels) at F0 (F,), by default as heard in the mels; see `Vocoder`."""
        if f0_hz is None:
            f0_hz = self.estimate_f0(log_mel)
        if position is None:
            position = ChunkPosition(0, onset_phases(f0_hz, self.spec))
        first, lead = position.first_frame, NOISE_LEAD_FRAMES
        noise = noise_blocks(first - lead, lead + len(log_mel), self.spec)
        voiced = (f0_hz > 0).astype(np.float32)
        log_f0 = (np.log(np.maximum(f0_hz, 1.0)) - LOG_F0_MEAN) / LOG_F0_STD * voiced
        filters = self._filters.run({"mel": log_mel, "pitch": np.stack([log_f0, voiced], 1)})
        gains = filters["gains"]
        sources = source_signals(f0_hz, position.phases, noise, self.spec, gains.shape[1])
        return self._render(sources, gains, filters.get("offset"))

    def estimate_f0(self, log_mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return F0 in Hz (F,) as heard in mels (F, n_mels), 0 where it is more likely unvoiced."""
        voicing, log_f0 = self._pitch.run({"mel": log_mel})["pitch"].T
        f0_hz = np.clip(np.exp(log_f0), F0_MIN_HZ, F0_MAX_HZ)
        return np.where(voicing > 0, f0_hz, 0.0).astype(np.float32)

    def _render(
        self,
        sources: NDArray[np.float32],
        gains: NDArray[np.float32],
        offset: NDArray[np.float32] | None,
    ) -> NDArray[np.float32]:
        """Filter sources (n, T) by gains (F, n, n_freq) and delay pulses: the least-squares ISTFT.

        Frames share those of `LogMel` out; silence lies beyond both ends.
        """
        n_frames, n_fft = len(gains), 2 * (gains.shape[2] - 1)
        hop = sources.shape[1] // n_frames
        pad = (n_fft - hop) // 2
        window = hann(n_fft).astype(np.float32)
        spread = self.network.arguments.get("noise_spread", 1.0)
        padded = np.pad(sources, [(0, 0), (pad, pad)])
        frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=1)[:, ::hop]
        n_parts = n_fft // hop  # of a window, each as long as a hop
        waveform = np.zeros((n_frames + n_parts - 1, hop), np.float32)
        weight = np.zeros_like(waveform)
        for first in range(0, n_frames, PIECE_FRAMES):
            part = slice(first, min(first + PIECE_FRAMES, n_frames))
            spectra = np.fft.rfft(frames[:, part] * window)  # (n, F', n_freq)
            if spread != 1:
                power = (spectra[1].real ** 2 + spectra[1].imag ** 2) / np.square(window).sum()
                spectra[1] *= spread_factor(power, spread)
            if offset is not None:
                turn = np.empty(offset[part].shape, np.complex64)
                turn.real, turn.imag = np.cos(offset[part]), np.sin(offset[part])
                spectra[0] *= turn
            spectrum = np.einsum("sfn,fsn->fn", spectra, gains[part])
            shaped = np.fft.irfft(spectrum, n_fft).astype(np.float32) * window
            shaped = shaped.reshape(-1, n_parts, hop)
            for index, of_window in enumerate((window**2).reshape(n_parts, hop)):
                hops = slice(first + index, first + index + len(shaped))
                waveform[hops] += shaped[:, index]
                weight[hops] += of_window
        waveform /= np.maximum(weight, np.float32(MIN_WEIGHT))
        return waveform.reshape(-1)[pad : waveform.size - pad]

    @functools.cached_property
    def _filters(self) -> Session:
        if self.filters is not None:
            return self.filters
        return Session(build_filters(self.network.weights, self.spec, **self.network.arguments))

    @functools.cached_property
    def _pitch(self) -> Session:
        return Session(build_pitch(self.network.weights, self.spec))

    def save(self, path: Path, about: dict[str, Any]) -> None:
        """Write weights in fp16 with what is needed to rebuild the network; renamed when whole."""
        header = {
            "network": self.network.arguments,
            "mel_spec": self.spec.to_dict(),
            "f0_tracker": self.f0_tracker,
            "about": about,
        }
        write_artifact(path, VOCODER, header, self.network.to_fp16())

    @classmethod
    def load(cls, path: Path, name: str | None = None) -> "SourceFilter":
        """Read a vocoder file of any format; ArtifactError where it cannot be used."""
        header, arrays = (artifact := read_artifact(path, VOCODER)).header, artifact.arrays
        with building(path, VOCODER):
            spec, arguments = MelSpec(**header["mel_spec"]), _drop_retired(header["network"])
            check_sizes(arguments)
            loaded = cls(
                network=StoredNetwork(arguments, arrays),
                spec=spec,
                about=header.get("about") or {},
                name=name or str(path),
                f0_tracker=str(header.get("f0_tracker", FORMER_TRACKER)),
            )
            _ = loaded._filters, loaded._pitch  # fails where they do not fit
        return loaded


def _drop_retired(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return constructor arguments; those of former files still work with one value."""
    for name, value in RETIRED_ARGUMENTS.items():
        if arguments.get(name, value) != value:
            raise ValueError(f"{name}={arguments[name]} is no longer supported")
    return {name: value for name, value in arguments.items() if name not in RETIRED_ARGUMENTS}
