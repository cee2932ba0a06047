"""Content, what is said in a recording: the input of generators, whoever speaks.

A frozen phonetic encoder, the first three layers of Whisper tiny's, hears a log-mel. Its features
tell sounds well and speakers badly; what is left of the speaker is mostly a constant, which is
removed with the mean over speech. The level of each frame is added, relative to that of speech.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from voxcycle.artifacts import (
    PHONETIC_ENCODER,
    building,
    check_sizes,
    read_artifact,
    write_artifact,
)
from voxcycle.audio.mel import MelSpec
from voxcycle.runtime.session import Session
from voxcycle.runtime.weights import StoredNetwork
from voxcycle.runtime.whisper_encoder import build_whisper_encoder, encode_positions

PHONETIC_FILE = Path(__file__).with_name("phonetic_encoder.safetensors")
WHISPER_FRAME_RATE = 100.0
# log10 of the encoder's mel power less that of our mel, both of the same recordings: 0.85 at the
# lowest band, 0.61 from the middle on (60 clips, deviation within a band 0.3).
BAND_OFFSETS = ((0, 10, 25, 40, 79), (0.85, 0.72, 0.65, 0.61, 0.61))
PIECE_FRAMES, CONTEXT_FRAMES = 1000, 100  # heard at once, and beyond on either side
LEVEL_UNIT_DB, LEVEL_RANGE = 10.0, (-4.0, 2.0)
MEAN_PRIOR = 100.0  # frames of speech that outweigh the mean of all speakers
Centre = NDArray[np.float32]  # (D + 1,): what is subtracted from features and level
ReadMels = Callable[[int, int], NDArray[np.floating]]


class Runs(Protocol):
    """What computes the encoder's features: a `Session`, or PyTorch."""

    def run(self, inputs: Mapping[str, NDArray[np.floating[Any]]]) -> dict[str, NDArray[Any]]:
        """Compute `features` (P, D) of `mel` (F', n_mels) and `positions` (P, D)."""
        ...


@dataclass(frozen=True)
class PhoneticEncoder:
    """The encoder, and the mean (D,) of its features over many speakers.

    `session` runs in place of the graph that is made of the network, which then is not needed.
    """

    network: StoredNetwork | None
    mean: NDArray[np.float32]
    session: Runs | None = None

    @property
    def stored(self) -> StoredNetwork:
        """The network; ValueError where only its session is here."""
        if self.network is None:
            raise ValueError("this encoder has no weights: read them with read_phonetic_encoder")
        return self.network

    def listen(self, mel: NDArray[np.floating], spec: MelSpec) -> NDArray[np.float32]:
        """Return features and level (F, D + 1) of log-mels (F, n_mels), not yet centred."""
        return np.concatenate(list(self.listen_in_pieces(lambda a, b: mel[a:b], len(mel), spec)))

    def listen_in_pieces(
        self, read: ReadMels, n_frames: int, spec: MelSpec
    ) -> Iterator[NDArray[np.float32]]:
        """Yield features and level of log-mels that `read` gives from frame to frame."""
        n_pieces = max(1, -(-n_frames // PIECE_FRAMES))
        edges = np.linspace(0, n_frames, n_pieces + 1).astype(int)
        for start, stop in zip(edges[:-1], edges[1:], strict=True):
            first, last = max(0, start - CONTEXT_FRAMES), min(n_frames, stop + CONTEXT_FRAMES)
            heard = self._hear(np.asarray(read(first, last), np.float32), spec)
            yield heard[start - first : stop - first]

    def _hear(self, mel: NDArray[np.float32], spec: MelSpec) -> NDArray[np.float32]:
        heard = whisper_mel(mel, spec)
        positions = encode_positions(-(-len(heard) // 2), len(self.mean))
        features = self._session.run({"mel": heard, "positions": positions})["features"]
        features = interpolate_frames(features, len(mel), len(features) / len(mel))
        return np.concatenate([features, frame_level(mel)], 1)

    @functools.cached_property
    def _session(self) -> Runs:
        if self.session is not None:
            return self.session
        return Session(build_whisper_encoder(self.stored.weights, **self.stored.arguments))

    def find_centre(self, content: NDArray[np.float32], speech: NDArray[np.bool_]) -> Centre:
        """Return the mean of features and the median level over frames of speech.

        Few frames do not settle the mean: it is shrunk towards that of all speakers.
        """
        total = content[speech, :-1].sum(0, dtype=np.float64)
        return self.shrink(total, content[:, -1], speech)

    def shrink(
        self, total: NDArray[np.float64], level: NDArray[np.float32], speech: NDArray[np.bool_]
    ) -> Centre:
        """Return the centre, given the sum of the features of speech (D,) and all levels (F,)."""
        mean = (total + MEAN_PRIOR * self.mean) / (speech.sum() + MEAN_PRIOR)
        usual = np.median(level[speech] if speech.any() else level)
        return np.append(mean, usual).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write weights in fp16; the file appears under its name only when complete."""
        mean = [round(float(x), 5) for x in self.mean]
        header = {"encoder": self.stored.arguments, "mel_spec": MelSpec().to_dict(), "mean": mean}
        write_artifact(path, PHONETIC_ENCODER, header, self.stored.to_fp16())

    @classmethod
    def load(cls, path: Path) -> "PhoneticEncoder":
        """Read a file; ArtifactError where it cannot be used."""
        artifact = read_artifact(path, PHONETIC_ENCODER)
        with building(path, PHONETIC_ENCODER):
            arguments = artifact.header["encoder"]
            check_sizes(arguments)
            MelSpec(**artifact.header["mel_spec"]).require_same(MelSpec(), str(path), "voxcycle")
            mean = np.array(artifact.header["mean"], np.float32)
            if mean.shape != (arguments["width"],):
                raise ValueError(f"a mean of shape {mean.shape}")
            loaded = cls(StoredNetwork(arguments, artifact.arrays), mean)
            _ = loaded._session  # fails where they do not fit
        return loaded


def check_content(n_content: int) -> None:
    """Raise ValueError where a generator takes other features than the package's encoder gives."""
    n_features = len(load_phonetic_encoder().mean) if n_content else 0
    if n_content != n_features:
        raise ValueError(f"n_content={n_content}, the phonetic encoder gives {n_features} features")


@functools.cache
def load_phonetic_encoder() -> PhoneticEncoder:
    """Return the package's encoder, ready to hear; its weights are kept once, in the session."""
    encoder = read_phonetic_encoder()
    return PhoneticEncoder(None, encoder.mean, encoder._session)


def read_phonetic_encoder() -> PhoneticEncoder:
    """Read the package's encoder, with its weights."""
    return PhoneticEncoder.load(PHONETIC_FILE)


def centre_content(content: NDArray[np.float32], centre: Centre) -> NDArray[np.float32]:
    """Return content (F, D + 1) relative to its centre; the level in units of 10 dB, limited."""
    centred = content - centre
    centred[..., -1] = centred[..., -1].clip(*LEVEL_RANGE)
    return centred


def whisper_mel(log_mel: NDArray[np.float32], spec: MelSpec) -> NDArray[np.float32]:
    """Return our log-mels (F, n_mels) as Whisper's, (F', n_mels), 100 frames per second.

    Both use the same Slaney bands up to 8 kHz.
    """
    x = log_mel * np.float32(2 / np.log(10)) + band_offsets(spec)
    rate = WHISPER_FRAME_RATE / spec.frame_rate
    x = interpolate_frames(x, int(len(x) * rate), 1 / rate)
    return (np.maximum(x, x.max() - 8) + 4) / 4


def band_offsets(spec: MelSpec) -> NDArray[np.float32]:
    """Return what is added to each band of log10 power to give Whisper's, (n_mels,)."""
    return np.interp(np.arange(spec.n_mels), *BAND_OFFSETS).astype(np.float32)


def frame_level(log_mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the level of each frame of log-mels (F, n_mels), in units of 10 dB, (F, 1)."""
    power = np.exp(2 * log_mel.astype(np.float64)).sum(1, keepdims=True)
    return (10 / LEVEL_UNIT_DB * np.log10(power)).astype(np.float32)


def interpolate_frames(
    frames: NDArray[np.float32], n_frames: int, step: float
) -> NDArray[np.float32]:
    """Interpolate frames (F, n) linearly to (n_frames, n), `step` apart; the ends are held."""
    position = np.clip((np.arange(n_frames) + 0.5) * step - 0.5, 0, len(frames) - 1)
    low = position.astype(int)
    share = (position - low).astype(np.float32)[:, None]
    after = frames[np.minimum(low + 1, len(frames) - 1)]
    return frames[low] * (1 - share) + after * share
