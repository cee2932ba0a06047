"""The pretrained networks: a generator and a discriminator, conditioned on the speaker.

They are trained once over many speakers. Bound to one speaker's statistics they are the networks
from which the training of that speaker's voice starts.
"""

import copy
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxcycle.artifacts import PRETRAINED, building, check_sizes, read_artifact, write_artifact
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats
from voxcycle.models.patchgan import PatchGAN, PatchGANPair, build_mel_discriminator
from voxcycle.models.speaker_encoder import SpeakerEncoder
from voxcycle.models.voice_generator import VoiceGenerator
from voxcycle.models.weights import load_network, to_arrays
from voxcycle.voices.content import check_content

Embedding = NDArray[np.float32] | None
PRETRAINED_FILE = Path(__file__).with_name("pretrained.safetensors")  # the packaged one
# In files of format 1 the discriminator's tensors are called so.
RETIRED_PREFIXES = {"judge": "discriminator"}


@dataclass(frozen=True)
class Pretrained:
    """G, averaged over its training, and D, conditioned on a speaker.

    Statistics are relative to `reference`, the mean statistics of the training speakers. With an
    `encoder`, a speaker's embedding belongs to the condition.
    """

    generator: VoiceGenerator
    discriminator: PatchGAN | PatchGANPair
    spec: MelSpec
    reference: DomainStats
    about: dict[str, Any]
    encoder: SpeakerEncoder | None = None

    @staticmethod
    def sha256(path: Path) -> str:
        """Return the hash of a file, by which a run recognises it."""
        return hashlib.sha256(path.read_bytes()).hexdigest()

    @property
    def n_condition(self) -> int:
        """The size of a speaker's condition."""
        return int(self.generator.arguments["n_condition"])

    def condition(self, stats: DomainStats, embedding: Embedding = None) -> Tensor:
        """Return a speaker's condition, (n_condition,); ValueError if its embedding is missing."""
        condition = speaker_condition(stats, self.reference, embedding)
        if len(condition) != self.n_condition:
            raise ValueError(f"a condition of {len(condition)} numbers, not {self.n_condition}")
        return torch.from_numpy(condition)

    def bind(self, stats: DomainStats, embedding: Embedding = None) -> "Pretrained":
        """Return unconditional networks for one speaker."""
        condition = self.condition(stats, embedding)
        return replace(
            self,
            generator=self.generator.bind(condition),
            discriminator=self.discriminator.bind(condition),
        )

    def blend(self, generator: VoiceGenerator, share: float) -> VoiceGenerator:
        """Return a copy of a speaker's generator with a `share` (0 to 1) of these bound weights.

        A training of a few minutes forgets sounds that its few recordings lack; on the line between
        both weights most of them return before most of the similarity goes. Wortsman et al.,
        "Robust fine-tuning of zero-shot models" (2022).
        """
        blended, begun = copy.deepcopy(generator), self.generator.state_dict()
        with torch.no_grad():
            for name, weight in blended.state_dict().items():
                weight.lerp_(begun[name].to(weight), share)
        return blended

    def save(self, path: Path) -> None:
        """Write weights in fp16 with what is needed to rebuild the networks; renamed when whole."""
        header = {
            "mel_spec": self.spec.to_dict(),
            "reference": self.reference.to_dict(),
            "generator": self.generator.arguments,
            "discriminator": self.discriminator.arguments,
            "about": self.about,
        }
        networks = torch.nn.ModuleDict(
            {"generator": self.generator, "discriminator": self.discriminator}
        )
        if self.encoder is not None:
            header["encoder"] = self.encoder.arguments
            networks["encoder"] = self.encoder
        write_artifact(path, PRETRAINED, header, to_arrays(networks))

    @classmethod
    def load(cls, path: Path) -> "Pretrained":
        """Read a file of any format; ArtifactError where it cannot be used."""
        header, arrays = (artifact := read_artifact(path, PRETRAINED)).header, artifact.arrays
        with building(path, PRETRAINED):
            spec = MelSpec(**header["mel_spec"])
            generator, discriminator = _read_arguments(header, spec)
            check_sizes(generator)
            check_content(generator.get("n_content", 0))
            check_sizes(discriminator)
            encoder = header.get("encoder")
            check_sizes(encoder or {})
            parts: dict[str, dict[str, NDArray[Any]]] = {
                "generator": {},
                "discriminator": {},
                "encoder": {},
            }
            for name, array in arrays.items():
                prefix, _, rest = name.partition(".")
                parts[RETIRED_PREFIXES.get(prefix, prefix)][rest] = array
            speaker_encoder = None
            if encoder:
                speaker_encoder = load_network(lambda: SpeakerEncoder(**encoder), parts["encoder"])
                speaker_encoder.eval().requires_grad_(False)
            return cls(
                generator=load_network(lambda: VoiceGenerator(**generator), parts["generator"]),
                discriminator=load_network(
                    lambda: build_mel_discriminator(**discriminator), parts["discriminator"]
                ),
                spec=spec,
                reference=DomainStats.from_dict(header["reference"]),
                about=header["about"],
                encoder=speaker_encoder,
            )


def speaker_condition(
    stats: DomainStats, reference: DomainStats, embedding: Embedding = None
) -> NDArray[np.float32]:
    """Return a speaker's condition: statistics relative to a reference, then the embedding.

    The former are 2 * n_mels + 2 numbers; a unit vector (D,) becomes D numbers of unit deviation.
    """
    added = [] if embedding is None else [embedding * np.sqrt(len(embedding))]
    return np.concatenate(
        [
            (stats.mel_mean - reference.mel_mean) / reference.mel_std,
            np.log(stats.mel_std / reference.mel_std) * 2,
            [(stats.log_f0_mean - reference.log_f0_mean) / 0.3],
            [np.log(stats.log_f0_std / reference.log_f0_std)],
            *added,
        ]
    ).astype(np.float32)


def condition_size(spec: MelSpec) -> int:
    """Return how many numbers `speaker_condition` makes of a speaker without an embedding."""
    return 2 * spec.n_mels + 2


def _read_arguments(header: dict[str, Any], spec: MelSpec) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return constructor arguments; format 1 holds settings of the training instead."""
    if "shape" not in header:
        return header["generator"], header["discriminator"]
    shape = header["shape"]
    n_condition = condition_size(spec)
    generator = {
        "n_mels": spec.n_mels,
        "width": shape["width"],
        "n_blocks": shape["n_blocks"],
        "n_excitation": spec.n_mels + 1 if shape["uses_f0"] else 0,
        "n_condition": n_condition,
        "has_skip": shape["has_skip"],
    }
    discriminator = {
        "n_planes": 1 + shape["sees_excitation"],
        "n_mels": spec.n_mels,
        "widths": tuple(shape["discriminator_widths"]),
        "spectrum_width": shape["spectrum_width"],
        "n_condition": n_condition,
    }
    return generator, discriminator
