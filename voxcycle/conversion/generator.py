"""The second pass: generator and vocoder in chunks of one shape that agree with the whole."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from voxcycle.audio.excitation import excitation_mel
from voxcycle.audio.source_signals import onset_phases
from voxcycle.audio.stats import DomainStats
from voxcycle.conversion.spooled_frames import RowFile
from voxcycle.vocoders import Place, Vocoder
from voxcycle.voices.voice import Voice

# In the empty bands of a telephone recording the deviation is small, and a click would come out as
# an explosion; natural speech stays below 4 deviations above its mean.
MAX_DEVIATION = 4.0
CHUNK_FRAMES = 512  # 6 s: context costs little, and HiFi-GAN stays under 300 MB


class Chunk(NamedTuple):
    """Frames `start` to `stop` of the whole; `stop` may lie beyond its end."""

    start: int
    stop: int


def plan_chunks(n_frames: int, max_frames: int = CHUNK_FRAMES) -> list[Chunk]:
    """Split frames into chunks of one length, at most `max_frames`."""
    n_chunks = -(-n_frames // max_frames)
    length = -(-n_frames // n_chunks)
    return [Chunk(start, start + length) for start in range(0, n_frames, length)]


def generate_mels(
    voice: Voice,
    source_stats: DomainStats,
    mels: RowFile,
    f0_hz: NDArray[np.float32],
    converted: RowFile,
    advance: Callable[[float], None],
    strength: float = 0.0,
    max_frames: int = CHUNK_FRAMES,
) -> None:
    """Append the voice's log-mels for the source's to `converted`.

    Before its first and after its last frame the recording is taken to go on as it begins and ends,
    so that every call has its whole context.

    Args:
        voice: the target.
        source_stats: normalise the source.
        mels: the source's log-mels, F rows.
        f0_hz: the target's F0, (F,).
        converted: gets F rows.
        advance: called with the share done, 0 to 1.
        strength: see `convert_mel`.
        max_frames: longest chunk.
    """
    context = voice.generator.context_frames * (2 if strength else 1)
    for chunk in plan_chunks(len(mels), max_frames):
        start, stop = chunk.start - context, chunk.stop + context
        mel = np.minimum(source_stats.normalize(mels.read(start, stop)), MAX_DEVIATION)
        excitation = excitation_mel(_read_held(f0_hz, start, stop), voice.spec)
        output = convert_mel(voice, _to_batch(mel), _to_batch(excitation), strength)
        frames = voice.target_stats.denormalize(output[0].T.numpy())
        kept = frames[context : context + min(chunk.stop, len(mels)) - chunk.start]
        converted.append(np.maximum(kept, np.log(voice.spec.log_floor)))
        advance(min(chunk.stop / len(mels), 1.0))


def convert_mel(
    voice: Voice, mel: torch.Tensor, excitation: torch.Tensor, strength: float
) -> torch.Tensor:
    """Return the voice's normalised mels (1, n_mels, F) for the source's.

    What is left of the source speaker is converted once more: 1 takes the second conversion, which
    is nearer to the voice but has lost more of the words, 0 the first, a share of it what lies
    between them.
    """
    with torch.inference_mode():
        first = voice.generator(mel, excitation)
        if not strength:
            return first
        return torch.lerp(first, voice.generator(first, excitation), strength)


def render_waveform(
    vocoder: Vocoder,
    mels: RowFile,
    f0_hz: NDArray[np.float32],
    max_frames: int = CHUNK_FRAMES,
) -> Iterator[NDArray[np.float32]]:
    """Yield the waveform of log-mels (F rows) in chunks, F * hop_length samples in all."""
    context, hop = vocoder.context_frames, vocoder.spec.hop_length
    phases = onset_phases(f0_hz, vocoder.spec)
    for chunk in plan_chunks(len(mels), max_frames):
        start, stop = chunk.start - context, chunk.stop + context
        f0 = torch.from_numpy(_read_held(f0_hz, start, stop))[None]
        place = Place(start, torch.from_numpy(_read_held(phases, start, stop))[None])
        with torch.inference_mode():
            waveform = vocoder.decode(_to_batch(mels.read(start, stop)), f0, place)[0].numpy()
        n_frames = min(chunk.stop, len(mels)) - chunk.start
        yield waveform[context * hop : (context + n_frames) * hop]


def _to_batch(frames: NDArray[np.float32]) -> torch.Tensor:
    """Turn (F, n) into (1, n, F)."""
    return torch.from_numpy(np.ascontiguousarray(frames.T, np.float32))[None]


def _read_held(
    values: NDArray[np.floating[Any]], start: int, stop: int
) -> NDArray[np.floating[Any]]:
    """Return values[start:stop], held beyond both ends."""
    return values[np.clip(np.arange(start, stop), 0, len(values) - 1)]
