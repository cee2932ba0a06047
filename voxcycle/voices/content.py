"""Content, what is said in a recording: the input of generators, whoever speaks.

A frozen phonetic encoder, the first three layers of Whisper tiny's, hears a log-mel. Its features
tell sounds well and speakers badly; what is left of the speaker is mostly a constant, which is
removed with the mean over speech. The level of each frame is added, relative to that of speech.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from voxcycle.artifacts import (
    PHONETIC_ENCODER,
    building,
    check_sizes,
    read_artifact,
    write_artifact,
)
from voxcycle.audio.mel import MelSpec
from voxcycle.models.weights import load_network, to_arrays
from voxcycle.models.whisper_encoder import WhisperEncoder

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


@dataclass(frozen=True)
class PhoneticEncoder:
    """The encoder, and the mean (D,) of its features over many speakers."""

    network: WhisperEncoder
    mean: NDArray[np.float32]

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
            piece = torch.from_numpy(np.asarray(read(first, last), np.float32).T[None])
            with torch.inference_mode():
                heard = self.hear(piece, spec)[0].T.numpy()
            yield heard[start - first : stop - first]

    def hear(self, log_mel: Tensor, spec: MelSpec) -> Tensor:
        """Return features and level (B, D + 1, F) of log-mels (B, n_mels, F); differentiable."""
        features = self.network(whisper_mel(log_mel, spec)).transpose(1, 2)
        features = F.interpolate(features.float(), log_mel.shape[2], mode="linear")
        level = torch.logsumexp(2 * log_mel, 1, keepdim=True) * (10 / np.log(10) / LEVEL_UNIT_DB)
        return torch.cat([features, level], 1)

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
        header = {"encoder": self.network.arguments, "mel_spec": MelSpec().to_dict(), "mean": mean}
        write_artifact(path, PHONETIC_ENCODER, header, to_arrays(self.network))

    @classmethod
    def load(cls, path: Path) -> "PhoneticEncoder":
        """Read a file; ArtifactError where it cannot be used."""
        artifact = read_artifact(path, PHONETIC_ENCODER)
        with building(path, PHONETIC_ENCODER):
            arguments = artifact.header["encoder"]
            check_sizes(arguments)
            MelSpec(**artifact.header["mel_spec"]).require_same(MelSpec(), str(path), "voxcycle")
            network = load_network(lambda: WhisperEncoder(**arguments), artifact.arrays)
            mean = np.array(artifact.header["mean"], np.float32)
            if mean.shape != (arguments["width"],):
                raise ValueError(f"a mean of shape {mean.shape}")
        return cls(network.eval().requires_grad_(False), mean)


def check_content(n_content: int) -> None:
    """Raise ValueError where a generator takes other features than the package's encoder gives."""
    n_features = len(load_phonetic_encoder().mean) if n_content else 0
    if n_content != n_features:
        raise ValueError(f"n_content={n_content}, the phonetic encoder gives {n_features} features")


@functools.cache
def load_phonetic_encoder() -> PhoneticEncoder:
    """Return the package's encoder."""
    return PhoneticEncoder.load(PHONETIC_FILE)


def centre_content(content: NDArray[np.float32], centre: Centre) -> NDArray[np.float32]:
    """Return content (F, D + 1) relative to its centre; the level in units of 10 dB, limited."""
    centred = content - centre
    centred[..., -1] = centred[..., -1].clip(*LEVEL_RANGE)
    return centred


def whisper_mel(log_mel: Tensor, spec: MelSpec) -> Tensor:
    """Return our log-mels (B, n_mels, F) as Whisper's, (B, n_mels, F'), 100 frames per second.

    Both use the same Slaney bands up to 8 kHz.
    """
    offset = np.interp(np.arange(spec.n_mels), *BAND_OFFSETS)
    x = log_mel * (2 / np.log(10)) + torch.from_numpy(offset).to(log_mel)[:, None]
    rate = WHISPER_FRAME_RATE / spec.frame_rate
    x = F.interpolate(x, scale_factor=rate, mode="linear", recompute_scale_factor=False)
    return (torch.maximum(x, x.amax((1, 2), keepdim=True) - 8) + 4) / 4
