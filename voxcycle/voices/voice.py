"""The voice file: one safetensors file that holds everything a conversion needs and runs nothing.

The tensors are the generator's weights in fp16. The header holds one JSON document under the key
`voxcycle`: format version, SHA-256 of the tensors, constructor arguments, MelSpec, statistics,
name, language, sex, licence, consent statement, training summary and measured scores.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats
from voxcycle.files import replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from voxcycle.models.maskcyclegan_vc import MaskCycleGANGenerator
    from voxcycle.models.voice_generator import VoiceGenerator

    Generator = VoiceGenerator | MaskCycleGANGenerator

FORMAT_VERSION = 2  # 1 named no network and knew no generator without a skip
NOT_STATED = "not stated"


class VoiceError(ValueError):
    """A voice file that cannot be used; the message names the file and the remedy."""


@dataclass(frozen=True)
class VoiceCard:
    """What is said about a voice. Empty strings mean "not stated"; `source` is whom it converts."""

    name: str
    language: str = ""
    sex: str = ""
    source: str = ""
    licence: str = ""
    consent: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Voice:
    """A target voice: the generator G_ab with the statistics of both of its sides.

    Attributes:
        card: name and provenance.
        spec: the mel analysis of the generator.
        source_stats: domain a: the pool's prior (any-to-one) or the source speaker (pair).
        target_stats: domain b, the speaker of this voice.
        is_any_to_one: whether the source may be anybody; else it should be the speaker of domain a.
        generator: G_ab in evaluation mode; a network of `build_generator`, called as
            `VoiceGenerator` is.
        path: the file it was loaded from.
        strength: how far conversion goes, 0 to 1; see `voxcycle.conversion.generator.convert_mel`.
    """

    card: VoiceCard
    spec: MelSpec
    source_stats: DomainStats
    target_stats: DomainStats
    is_any_to_one: bool
    generator: "Generator"
    path: Path | None = None
    strength: float = 0.0

    def __repr__(self) -> str:
        kind = "any source" if self.is_any_to_one else self.card.source or "one source"
        return f"Voice({self.card.name!r}, {kind}, {self.path or 'of no file'})"

    def save(self, path: Path) -> None:
        """Write the voice file; it appears under its name only when complete."""
        import torch
        from safetensors.torch import save

        tensors = {
            k: v.detach().to("cpu", torch.float16).contiguous()
            for k, v in self.generator.state_dict().items()
        }
        header = {
            "format_version": FORMAT_VERSION,
            "sha256": _tensor_hash({k: v.numpy() for k, v in tensors.items()}),
            "network": type(self.generator).__name__,
            "generator": self.generator.arguments,
            "mel_spec": self.spec.to_dict(),
            "source_stats": self.source_stats.to_dict(),
            "target_stats": self.target_stats.to_dict(),
            "is_any_to_one": self.is_any_to_one,
            "strength": self.strength,
            "card": asdict(self.card),
        }
        with replacing(path) as partial:
            partial.write_bytes(save(tensors, metadata={"voxcycle": json.dumps(header)}))

    @classmethod
    def load(cls, path: Path) -> "Voice":
        """Read a voice file; VoiceError where it is truncated, altered, newer or no voice."""
        import torch
        from safetensors.numpy import load_file

        header = read_header(path)
        try:
            arrays = load_file(path)
        except Exception as error:  # safetensors raises its own type, OSError or ValueError
            raise VoiceError(
                f"{path}: the voice file is damaged or cut short ({error}); fetch it again"
            ) from error
        if _tensor_hash(arrays) != header.get("sha256"):
            raise VoiceError(
                f"{path}: the weights do not match their checksum, so the file was altered or "
                "damaged; fetch it again from where you trust it"
            )
        try:
            generator = build_generator(
                header.get("network", "VoiceGenerator"), header["generator"]
            )
            generator.load_state_dict(
                {k: torch.from_numpy(v.astype(np.float32)) for k, v in arrays.items()}
            )
            strength = float(header.get("strength", 0.0))
            if not 0 <= strength <= 1:
                raise ValueError(f"strength {strength} is not from 0 to 1")
            voice = cls(
                card=VoiceCard(**header["card"]),
                spec=MelSpec(**header["mel_spec"]),
                source_stats=DomainStats.from_dict(header["source_stats"]),
                target_stats=DomainStats.from_dict(header["target_stats"]),
                is_any_to_one=bool(header["is_any_to_one"]),
                generator=generator.eval().requires_grad_(False),
                path=path,
                strength=strength,
            )
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            reason = (str(error).splitlines() or [""])[0].rstrip(":")  # PyTorch lists every tensor
            raise VoiceError(
                f"{path}: the voice file's header and weights do not fit together ({reason}); "
                "fetch it again"
            ) from error
        return voice

    def convert(
        self, waveform: "NDArray[np.float32]", sample_rate: int, **options: Any
    ) -> "NDArray[np.float32]":
        """Convert a waveform (T,) or (T, channels) at `sample_rate`; the result is (T,), same rate.

        Options are those of `conversion.pipeline.convert_waveform`: `pitch`, `vocoder`, ...
        """
        from voxcycle.conversion.pipeline import convert_waveform

        return convert_waveform(waveform, sample_rate, self, **options).waveform


def build_generator(network: str, arguments: dict[str, Any]) -> "Generator":
    """Build the network that a voice file names; ValueError for one that does not exist."""
    from voxcycle.models.maskcyclegan_vc import MaskCycleGANGenerator
    from voxcycle.models.voice_generator import VoiceGenerator

    known: dict[str, type[Generator]] = {
        cls.__name__: cls for cls in (VoiceGenerator, MaskCycleGANGenerator)
    }
    if network not in known:
        raise ValueError(f"unknown network {network}; known are {', '.join(known)}")
    return known[network](**arguments)


def check_voice_name(name: str, context: str = "") -> None:
    """Raise VoiceError, its message led by `context`, unless the name can be a file's name."""
    if not re.fullmatch(r"\w[\w .+-]*", name):
        raise VoiceError(
            f"{context}the voice's name {name!r} cannot be a file's name; names have letters, "
            "digits, spaces and . _ + -"
        )


def read_header(path: Path) -> dict[str, Any]:
    """Return the voice's JSON header without reading the weights; VoiceError as `Voice.load`."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as opened:
            metadata = opened.metadata() or {}
    except FileNotFoundError:
        raise VoiceError(f"{path}: no such voice file") from None
    except Exception as error:  # safetensors raises its own type, OSError or ValueError
        raise VoiceError(
            f"{path}: not a voice file, or cut short ({error}); fetch it again"
        ) from error
    if "voxcycle" not in metadata:
        raise VoiceError(f"{path}: a safetensors file, but not a voxcycle voice")
    try:
        header = json.loads(metadata["voxcycle"])
        version = int(header["format_version"])
    except (ValueError, KeyError, TypeError) as error:
        raise VoiceError(f"{path}: the voice's header is damaged; fetch it again") from error
    if version > FORMAT_VERSION:
        raise VoiceError(
            f"{path}: the voice file has format {version}, this voxcycle reads up to "
            f"{FORMAT_VERSION}; update voxcycle"
        )
    return header


def _tensor_hash(arrays: "dict[str, NDArray[Any]]") -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
