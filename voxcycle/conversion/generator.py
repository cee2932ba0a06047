"""Mels of the source to mels of the voice: the only way from one to the other.

The product, the audio of a training's validation and the evaluation all convert by `MelConverter`.
"""

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.excitation import excitation_mel
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats
from voxcycle.conversion.chunks import CHUNK_FRAMES, Window, Windows, equal_chunk_frames
from voxcycle.conversion.runtime import TorchNetwork
from voxcycle.models.voice_generator import VoiceGenerator

# In the empty bands of a telephone recording the deviation is small, and a click would come out as
# an explosion; natural speech stays below 4 deviations above its mean.
MAX_DEVIATION = 4.0


class MelConverter:
    """A stage: log-mels and the requested F0 in, the voice's log-mels out, delayed by its context.

    Args:
        generator: G, in evaluation mode.
        spec: its mel analysis.
        source: statistics that normalise the input.
        target: statistics of the voice.
        second_pass: share of a second conversion, 0 to 1. The first conversion is converted again,
            which removes more of the source speaker and costs words; the result lies on the line
            between both.
        chunk_frames: frames that the network sees at once, besides the context.
    """

    def __init__(
        self,
        generator: VoiceGenerator,
        *,
        spec: MelSpec,
        source: DomainStats,
        target: DomainStats,
        second_pass: float = 0.0,
        chunk_frames: int = CHUNK_FRAMES,
    ) -> None:
        self.network = TorchNetwork(generator, "mel")
        self.spec, self.source, self.target = spec, source, target
        self.second_pass = second_pass
        self.context = generator.context_frames * (2 if second_pass else 1)
        self._windows = Windows(self.context, chunk_frames)

    def push(self, mel: NDArray[np.float32], f0_hz: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add frames (F, n_mels) with their F0 (F,); returns what is ready, (F', n_mels)."""
        return self._join([self._convert(window) for window in self._windows.push(mel, f0_hz)])

    def flush(self) -> NDArray[np.float32]:
        """Return the frames that are left."""
        return self._join([self._convert(window) for window in self._windows.flush()])

    def _convert(self, window: Window) -> NDArray[np.float32]:
        held_mel, f0_hz = window.columns
        mel = np.minimum(self.source.normalize(held_mel), MAX_DEVIATION)
        excitation = excitation_mel(f0_hz, self.spec)
        output = self.network.run({"mel": mel, "excitation": excitation})["mel"]
        if self.second_pass:
            again = self.network.run({"mel": output, "excitation": excitation})["mel"]
            output = interpolate(output, again, self.second_pass)
        frames = self.target.denormalize(output)[self.context : self.context + window.n_kept]
        return np.maximum(frames, np.float32(np.log(self.spec.log_floor)))

    def _join(self, parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        if not parts:
            return np.zeros((0, self.spec.n_mels), np.float32)
        return np.concatenate(parts)


def convert_mels(
    generator: VoiceGenerator,
    mels: NDArray[np.float32],
    f0_hz: NDArray[np.float32],
    *,
    spec: MelSpec,
    source: DomainStats,
    target: DomainStats,
    second_pass: float = 0.0,
) -> NDArray[np.float32]:
    """Convert all frames (F, n_mels) at the requested F0 (F,); see `MelConverter`."""
    stage = MelConverter(
        generator,
        spec=spec,
        source=source,
        target=target,
        second_pass=second_pass,
        chunk_frames=equal_chunk_frames(len(mels)),
    )
    return np.concatenate([stage.push(mels, f0_hz), stage.flush()])


def interpolate(
    start: NDArray[np.float32], end: NDArray[np.float32], share: float
) -> NDArray[np.float32]:
    """Return `start` at share 0 and `end` at 1, exact at both ends, rounded once."""
    weight, difference = np.float32(share), (end - start).astype(np.float64)
    if weight < 0.5:
        return (start + difference * weight).astype(np.float32)
    return (end - difference * (np.float32(1) - weight)).astype(np.float32)
