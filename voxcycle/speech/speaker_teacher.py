"""The speaker term of a CycleGAN: does a conversion sound like its target?"""

import torch.nn.functional as F
from torch import Tensor

from voxcycle.audio.mel import MelSpec
from voxcycle.methods.batches import Domain
from voxcycle.models import speaker_encoder
from voxcycle.models.weights import load_network
from voxcycle.voices.speaker_encoder import SpeakerEncoder


class SpeakerTeacher:
    """Compares who speaks, by a frozen encoder."""

    def __init__(self, encoder: SpeakerEncoder, spec: MelSpec) -> None:
        def build() -> speaker_encoder.SpeakerEncoder:
            return speaker_encoder.SpeakerEncoder(**encoder.arguments)

        self.encoder = load_network(build, encoder.weights).eval().requires_grad_(False)
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
