"""Mels of the voice to its waveform, in chunks that agree with the whole."""

import numpy as np
import torch
from numpy.typing import NDArray

from voxcycle.audio.source_signals import onset_phases
from voxcycle.conversion.chunks import CHUNK_FRAMES, Window, Windows, equal_chunk_frames
from voxcycle.conversion.runtime import to_batch
from voxcycle.vocoders import ChunkPosition, Vocoder


class Renderer:
    """A stage: log-mels, F0 and its phases in, samples out, delayed by the vocoder's context.

    Args:
        vocoder: renders the mels.
        chunk_frames: frames that the vocoder sees at once, besides its context.
    """

    def __init__(self, vocoder: Vocoder, chunk_frames: int = CHUNK_FRAMES) -> None:
        self.vocoder = vocoder
        self._windows = Windows(vocoder.context_frames, chunk_frames)

    def push(
        self,
        mel: NDArray[np.float32],
        f0_hz: NDArray[np.float32],
        phases: NDArray[np.float64],
    ) -> NDArray[np.float32]:
        """Add frames; returns the samples that are ready.

        Args:
            mel: (F, n_mels).
            f0_hz: (F,), 0 where unvoiced.
            phases: (F,), of `audio.source_signals.onset_phases` over the whole stream.
        """
        windows = self._windows.push(mel, f0_hz, phases)
        return self._join([self._render(window) for window in windows])

    def flush(self) -> NDArray[np.float32]:
        """Return the samples that are left."""
        return self._join([self._render(window) for window in self._windows.flush()])

    def _render(self, window: Window) -> NDArray[np.float32]:
        mel, f0_hz, phases = window.columns
        position = ChunkPosition(window.start, torch.from_numpy(phases)[None])
        with torch.inference_mode():
            f0 = torch.from_numpy(f0_hz)[None]
            waveform = self.vocoder.decode(to_batch(mel), f0, position)[0].numpy()
        hop, context = self.vocoder.spec.hop_length, self.vocoder.context_frames
        return waveform[context * hop : (context + window.n_kept) * hop]

    @staticmethod
    def _join(parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def render_mels(
    vocoder: Vocoder, mels: NDArray[np.float32], f0_hz: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the waveform (F * hop_length,) of log-mels (F, n_mels) at F0 (F,)."""
    stage = Renderer(vocoder, equal_chunk_frames(len(mels)))
    phases = onset_phases(f0_hz, vocoder.spec)
    return np.concatenate([stage.push(mels, f0_hz, phases), stage.flush()])
