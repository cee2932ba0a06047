"""The pretrained networks: a generator and a discriminator, conditioned on the speaker.

They are trained once over many speakers. Bound to one speaker's statistics they are the networks
from which the training of that speaker's voice starts.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxcycle.artifacts import PRETRAINED, building, check_sizes, read_artifact, write_artifact
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats
from voxcycle.runtime.weights import StoredNetwork
from voxcycle.voices.content import check_content
from voxcycle.voices.generator import Generator
from voxcycle.voices.speaker_encoder import SpeakerEncoder

Embedding = NDArray[np.float32] | None
PRETRAINED_FILE = Path(__file__).with_name("pretrained.safetensors")  # the packaged one
# In files of format 1 the discriminator's tensors are called so.
RETIRED_PREFIXES = {"judge": "discriminator"}


@dataclass(frozen=True)
class Pretrained:
    """G, averaged over its training, and D, conditioned on a speaker.

    Statistics are relative to `reference`, the mean statistics of the training speakers. With an
    `encoder`, a speaker's embedding belongs to the condition. D is for trainings alone, which build
    it.
    """

    generator: Generator
    discriminator: StoredNetwork
    spec: MelSpec
    reference: DomainStats
    about: dict[str, Any]
    encoder: SpeakerEncoder | None = None
    path: Path | None = None

    @staticmethod
    def sha256(path: Path) -> str:
        """Return the hash of a file, by which a run recognises it."""
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def condition(self, stats: DomainStats, embedding: Embedding = None) -> NDArray[np.float32]:
        """Return a speaker's condition, (n_condition,); ValueError if its embedding is missing."""
        condition, n = (
            speaker_condition(stats, self.reference, embedding),
            self.generator.n_condition,
        )
        if len(condition) != n:
            raise ValueError(f"a condition of {len(condition)} numbers, not {n}")
        return condition

    def bind(self, stats: DomainStats, embedding: Embedding = None) -> Generator:
        """Return the generator for one speaker."""
        return self.generator.bind(self.condition(stats, embedding))

    def save(self, path: Path) -> None:
        """Write weights in fp16 with what is needed to rebuild the networks; renamed when whole."""
        header = {
            "mel_spec": self.spec.to_dict(),
            "reference": self.reference.to_dict(),
            "generator": self.generator.arguments,
            "discriminator": self.discriminator.arguments,
            "about": self.about,
        }
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        if self.encoder is not None:
            header["encoder"] = self.encoder.arguments
            networks["encoder"] = self.encoder
        arrays = {
            f"{prefix}.{name}": array
            for prefix, network in networks.items()
            for name, array in network.to_fp16().items()
        }
        write_artifact(path, PRETRAINED, header, arrays)

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
            loaded = cls(
                generator=Generator(generator, parts["generator"]),
                discriminator=StoredNetwork(discriminator, parts["discriminator"]),
                spec=spec,
                reference=DomainStats.from_dict(header["reference"], spec.n_mels),
                about=header["about"],
                encoder=SpeakerEncoder(encoder, parts["encoder"]) if encoder else None,
                path=path,
            )
            loaded.generator.check()
            if loaded.encoder is not None:
                loaded.encoder.check()
        return loaded


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
