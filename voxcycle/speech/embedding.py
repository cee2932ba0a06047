"""The speaker encoder's file, and the embeddings of a speaker's recordings."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from voxcycle.artifacts import SPEAKER_ENCODER, building, check_sizes, read_artifact, write_artifact
from voxcycle.audio.mel import MelSpec
from voxcycle.speech.features import Features
from voxcycle.speech.speakers import Speaker
from voxcycle.voices.speaker_encoder import SpeakerEncoder

SEGMENT_S, MIN_SPEECH_S = 3.0, 0.7


class Embeds(Protocol):
    """A speaker encoder, on ONNX Runtime or PyTorch."""

    def embed(
        self, mel: NDArray[np.floating[Any]], speech: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Return the unit vector (D,) of log-mels (F, n_mels), of which frames (F,) are speech."""
        ...


def save_encoder(encoder: SpeakerEncoder, path: Path, about: dict[str, object]) -> None:
    """Write an encoder's file."""
    header = {"encoder": encoder.arguments, "mel_spec": MelSpec().to_dict(), "about": about}
    write_artifact(path, SPEAKER_ENCODER, header, encoder.to_fp16())


def load_encoder(path: Path) -> SpeakerEncoder:
    """Read an encoder's file; ArtifactError where it cannot be used."""
    artifact = read_artifact(path, SPEAKER_ENCODER)
    with building(path, SPEAKER_ENCODER):
        arguments = artifact.header["encoder"]
        check_sizes(arguments)
        MelSpec(**artifact.header["mel_spec"]).require_same(MelSpec(), str(path), "voxcycle")
        encoder = SpeakerEncoder(arguments, artifact.arrays)
        encoder.check()
    return encoder


def add_embeddings(speaker: Speaker, encoder: Embeds, spec: MelSpec) -> Speaker:
    """Return a speaker with the embeddings of its recordings; it keeps those that it has."""
    if speaker.embeddings is not None or not speaker.recordings:
        return speaker
    return replace(speaker, embeddings=embed_segments(encoder, speaker.recordings, spec))


def embed_segments(
    encoder: Embeds, recordings: Sequence[Features], spec: MelSpec
) -> NDArray[np.float32]:
    """Return the embeddings of the segments of 3 s that hold most speech, (N, D)."""
    length = round(SEGMENT_S * spec.frame_rate)
    embeddings, seconds = [], []
    for recording in recordings:
        for start in range(0, max(1, len(recording.speech) - length // 2), length):
            part = slice(start, start + length)
            speech = recording.speech[part]
            embeddings.append(encoder.embed(recording.mels[0][part], speech))
            seconds.append(float(speech.sum()) / spec.frame_rate)
    found = np.array(embeddings)
    enough = np.array(seconds) >= min(MIN_SPEECH_S, max(seconds))
    return found[enough]
