"""The stages of a conversion, in chunks that agree with the whole: generator and vocoder.

The product, the audio of a training's validation and the evaluation all convert by `MelConverter`.
Everything is frames first, (F, n).
"""

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.excitation import clear_below_f0, excitation_mel
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.source_signals import onset_phases
from voxcycle.audio.stats import DomainStats
from voxcycle.conversion.frames import (
    CHUNK_FRAMES,
    SpooledFrames,
    Window,
    Windows,
    equal_chunk_frames,
)
from voxcycle.vocoders import ChunkPosition, Vocoder
from voxcycle.voices.content import centre_content, load_phonetic_encoder
from voxcycle.voices.generator import Generator

# In the empty bands of a telephone recording the deviation is small, and a click would come out as
# an explosion; natural speech stays below 4 deviations above its mean.
MAX_DEVIATION = 4.0
Prepare = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class MelConverter:
    """A stage: source and requested F0 in, the voice's log-mels out, delayed by its context.

    Args:
        generator: G.
        prepare: turns frames of the source into what the generator takes; see `content_source` and
            `mel_source`.
        spec: the mel analysis of the output.
        target: statistics of the voice.
        second_pass: share of a conversion of the first conversion, 0 to 1, which removes more of
            the source speaker and costs words; for generators on mels alone.
        chunk_frames: frames that the network sees at once, besides the context.
    """

    def __init__(
        self,
        generator: Generator,
        prepare: Prepare,
        *,
        spec: MelSpec,
        target: DomainStats,
        second_pass: float = 0.0,
        chunk_frames: int = CHUNK_FRAMES,
    ) -> None:
        self.generator = generator
        self.prepare, self.spec, self.target = prepare, spec, target
        self.second_pass = 0.0 if generator.n_content else second_pass
        self.context = generator.context_frames * (2 if self.second_pass else 1)
        self._windows = Windows(self.context, chunk_frames)

    def push(self, source: NDArray[np.float32], f0_hz: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add frames (F, n) with their F0 (F,); returns what is ready, (F', n_mels)."""
        return self._convert(self._windows.push(source, f0_hz))

    def flush(self) -> NDArray[np.float32]:
        """Return the frames that are left."""
        return self._convert(self._windows.flush())

    def _convert(self, windows: Iterable[Window]) -> NDArray[np.float32]:
        parts = [np.zeros((0, self.spec.n_mels), np.float32)]
        for window in windows:
            held, f0_hz = window.columns
            excitation = excitation_mel(f0_hz, self.spec)
            inputs = {"source": self.prepare(held), "excitation": excitation}
            output = self.generator.run(inputs)["mel"]
            if self.second_pass:
                again = self.generator.run({"source": output, "excitation": excitation})["mel"]
                output = _interpolate(output, again, self.second_pass)
            kept = slice(self.context, self.context + window.n_kept)
            frames = self.target.denormalize(output)[kept]
            frames = clear_below_f0(frames, f0_hz[kept], self.spec)
            parts.append(np.maximum(frames, np.float32(np.log(self.spec.log_floor))))
        return np.concatenate(parts)


def mel_source(stats: DomainStats) -> Prepare:
    """Return what prepares log-mels for a generator on mels."""
    return lambda mel: np.minimum(stats.normalize(mel), MAX_DEVIATION)


def content_source(
    mels: SpooledFrames,
    speech: NDArray[np.bool_],
    spec: MelSpec,
    content: SpooledFrames,
    advance: Callable[[float], None],
) -> Prepare:
    """Hear log-mels, append what is heard to `content`, and return what prepares it."""
    encoder = load_phonetic_encoder()
    total, levels = np.zeros(len(encoder.mean)), []
    for heard in encoder.listen_in_pieces(mels.read, len(mels), spec):
        spoken = speech[len(content) : len(content) + len(heard)]
        content.append(heard)
        total += heard[spoken, :-1].sum(0, dtype=np.float64)
        advance(len(content) / len(mels))
        levels.append(heard[:, -1].copy())  # not a view, which would keep all of it
    centre = encoder.shrink(total, np.concatenate(levels), speech)
    return partial(centre_content, centre=centre)


class Renderer:
    """A stage: log-mels, F0 and its phases in, samples out, delayed by the vocoder's look-ahead.

    The vocoder sees `chunk_frames` frames at once, besides its context and look-ahead.
    """

    def __init__(self, vocoder: Vocoder, chunk_frames: int = CHUNK_FRAMES) -> None:
        self.vocoder = vocoder
        self._windows = Windows(vocoder.context_frames, chunk_frames, vocoder.look_ahead_frames)

    def push(
        self, mel: NDArray[np.float32], f0_hz: NDArray[np.float32], phases: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Add log-mels (F, n_mels) and F0 (F,); returns the samples that are ready.

        Phases (F,) are of `audio.source_signals.onset_phases` over the whole stream.
        """
        return self._render(self._windows.push(mel, f0_hz, phases))

    def flush(self) -> NDArray[np.float32]:
        """Return the samples that are left."""
        return self._render(self._windows.flush())

    def _render(self, windows: Iterable[Window]) -> NDArray[np.float32]:
        hop, context = self.vocoder.spec.hop_length, self.vocoder.context_frames
        parts = [np.zeros(0, np.float32)]
        for window in windows:
            mel, f0_hz, phases = window.columns
            waveform = self.vocoder.decode(
                mel, f0_hz, ChunkPosition(window.start, phases.astype(np.float64))
            )
            parts.append(waveform[context * hop : (context + window.n_kept) * hop])
        return np.concatenate(parts)


def convert_mels(
    generator: Generator,
    mels: NDArray[np.float32],
    f0_hz: NDArray[np.float32],
    speech: NDArray[np.bool_],
    *,
    spec: MelSpec,
    source: DomainStats,
    target: DomainStats,
    second_pass: float = 0.0,
) -> NDArray[np.float32]:
    """Convert all frames (F, n_mels) at the requested F0 (F,); see `MelConverter`."""
    heard, prepare = mels, mel_source(source)
    if generator.n_content:
        encoder = load_phonetic_encoder()
        heard = encoder.listen(mels, spec)
        prepare = partial(centre_content, centre=encoder.find_centre(heard, speech))
    stage = MelConverter(
        generator,
        prepare,
        spec=spec,
        target=target,
        second_pass=second_pass,
        chunk_frames=equal_chunk_frames(len(mels)),
    )
    return np.concatenate([stage.push(heard, f0_hz), stage.flush()])


def render_mels(
    vocoder: Vocoder, mels: NDArray[np.float32], f0_hz: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the waveform (F * hop_length,) of log-mels (F, n_mels) at F0 (F,)."""
    stage = Renderer(vocoder, equal_chunk_frames(len(mels)))
    phases = onset_phases(f0_hz, vocoder.spec)
    return np.concatenate([stage.push(mels, f0_hz, phases), stage.flush()])


def _interpolate(
    start: NDArray[np.float32], end: NDArray[np.float32], share: float
) -> NDArray[np.float32]:
    """Return `start` at share 0 and `end` at 1, exact at both ends, rounded once."""
    weight, difference = np.float32(share), (end - start).astype(np.float64)
    if weight < 0.5:
        return (start + difference * weight).astype(np.float32)
    return (end - difference * (np.float32(1) - weight)).astype(np.float32)
