"""The speaker encoder in PyTorch: does a conversion sound like its target? Who speaks here?"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from voxcycle.audio.mel import MelSpec
from voxcycle.methods.batches import Domain
from voxcycle.models import speaker_encoder
from voxcycle.models.weights import load_network
from voxcycle.voices.speaker_encoder import SpeakerEncoder


def load_speaker_network(encoder: SpeakerEncoder) -> speaker_encoder.SpeakerEncoder:
    """Return a stored encoder as a module, frozen."""
    network = load_network(
        lambda: speaker_encoder.SpeakerEncoder(**encoder.arguments), encoder.weights
    )
    return network.eval().requires_grad_(False)


class TorchEmbedder:
    """Embeds by PyTorch, where a training from a pack has no ONNX Runtime."""

    def __init__(self, encoder: SpeakerEncoder) -> None:
        self.network = load_speaker_network(encoder)

    @torch.no_grad()
    def embed(
        self, mel: NDArray[np.floating[Any]], speech: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Return the unit vector (D,) of log-mels (F, n_mels), of which frames (F,) are speech."""
        frames = torch.from_numpy(np.array(mel, np.float32)).T[None]
        weight = torch.from_numpy(np.array(speech, np.float32))[None]
        return self.network(frames, weight)[0].numpy()


class SpeakerTeacher:
    """Compares who speaks, by a frozen encoder."""

    def __init__(self, encoder: SpeakerEncoder, spec: MelSpec) -> None:
        self.encoder = load_speaker_network(encoder)
        self.n_mels = spec.n_mels

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
