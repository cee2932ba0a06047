"""The speaker encoder's file, and the embeddings of a speaker's recordings."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from voxcycle.artifacts import SPEAKER_ENCODER, building, check_sizes, read_artifact, write_artifact
from voxcycle.audio.mel import MelSpec
from voxcycle.methods.batches import Domain
from voxcycle.models.speaker_encoder import SpeakerEncoder
from voxcycle.models.weights import load_network, to_arrays
from voxcycle.speech.features import Features
from voxcycle.speech.speakers import Speaker

SEGMENT_S, MIN_SPEECH_S = 3.0, 0.7


def save_encoder(encoder: SpeakerEncoder, path: Path, about: dict[str, object]) -> None:
    """Write an encoder's file."""
    header = {"encoder": encoder.arguments, "mel_spec": MelSpec().to_dict(), "about": about}
    write_artifact(path, SPEAKER_ENCODER, header, to_arrays(encoder))


def load_encoder(path: Path) -> SpeakerEncoder:
    """Read an encoder's file; ArtifactError where it cannot be used."""
    artifact = read_artifact(path, SPEAKER_ENCODER)
    with building(path, SPEAKER_ENCODER):
        arguments = artifact.header["encoder"]
        check_sizes(arguments)
        MelSpec(**artifact.header["mel_spec"]).require_same(MelSpec(), str(path), "voxcycle")
        encoder = load_network(lambda: SpeakerEncoder(**arguments), artifact.arrays)
    return encoder.eval().requires_grad_(False)


class SpeakerTeacher:
    """Compares who speaks: a CycleGAN's speaker term."""

    def __init__(self, encoder: SpeakerEncoder, spec: MelSpec) -> None:
        self.encoder, self.n_mels = encoder, spec.n_mels

    def __call__(self, source: Domain, converted: Tensor, target: Domain) -> Tensor:
        """Return one minus the cosine of converted mels (B, n_mels, F) to their targets.

        Raises:
            ValueError: the batch lacks the targets' embeddings, statistics or frames of speech.
        """
        if target.condition is None or target.profile is None or source.speech is None:
            raise ValueError("the speaker loss needs conditions, profiles and speech in the batch")
        mean, std = target.profile.chunk(2, dim=1)
        heard = self.encoder.to(converted.device)(
            converted * std[..., None] + mean[..., None], source.speech
        )
        wanted = target.condition[:, -heard.shape[1] :]
        return 1 - F.cosine_similarity(heard, wanted).mean()


def add_embeddings(speaker: Speaker, encoder: SpeakerEncoder, spec: MelSpec) -> Speaker:
    """Return a speaker with the embeddings of its recordings; it keeps those that it has."""
    if speaker.embeddings is not None or not speaker.recordings:
        return speaker
    return replace(speaker, embeddings=embed_segments(encoder, speaker.recordings, spec))


@torch.no_grad()
def embed_segments(
    encoder: SpeakerEncoder, recordings: Sequence[Features], spec: MelSpec
) -> NDArray[np.float32]:
    """Return the embeddings of the segments of 3 s that hold most speech, (N, D)."""
    length = round(SEGMENT_S * spec.frame_rate)
    embeddings, seconds = [], []
    for recording in recordings:
        for start in range(0, max(1, len(recording.speech) - length // 2), length):
            part = slice(start, start + length)
            mel = torch.from_numpy(recording.mels[0][part].astype(np.float32)).T[None]
            speech = torch.from_numpy(recording.speech[part].astype(np.float32))[None]
            embeddings.append(encoder(mel, speech)[0].numpy())
            seconds.append(float(speech.sum()) / spec.frame_rate)
    found = np.array(embeddings)
    enough = np.array(seconds) >= min(MIN_SPEECH_S, max(seconds))
    return found[enough]
