"""The voice: a generator with the statistics of both of its sides, and its file.

The file (see `voxcycle.artifacts`) holds the generator's weights in fp16; its header holds the
constructor arguments, the mel analysis, the statistics and the card.
"""

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from voxcycle.artifacts import VOICE, building, check_sizes, read_artifact, write_artifact
from voxcycle.audio.f0 import FORMER_TRACKER, TRACKER
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats
from voxcycle.voices.content import check_content
from voxcycle.voices.generator import Generator

NETWORK = "VoiceGenerator"
NOT_STATED = "not stated"


class VoiceError(ValueError):
    """A voice that cannot be found or named; the message says what to do."""


@dataclass(frozen=True)
class VoiceCard:
    """Facts about a voice; empty strings mean "not stated". `source` is the speaker it converts.

    ValueError where a fact is of another type than its default.
    """

    name: str
    language: str = ""
    sex: str = ""
    source: str = ""
    licence: str = ""
    consent: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            kind = dict if name in ("training", "scores") else str
            if not isinstance(value, kind):
                raise ValueError(
                    f"{name} of the card is a {type(value).__name__}, no {kind.__name__}"
                )


@dataclass(frozen=True)
class Voice:
    """A target voice.

    Attributes:
        card: name and provenance.
        spec: the mel analysis of the generator.
        source_stats: domain a: the pool's prior (any-to-one) or the source speaker (pair).
        target_stats: domain b, the speaker of this voice.
        is_any_to_one: whether it converts any speaker; else only the speaker of domain a.
        generator: G_ab.
        path: the file it was loaded from.
        second_pass: share of the second conversion, 0 to 1, of generators on mels; see
            `MelConverter`.
        f0_tracker: what found the F0 of the statistics; files that name none are from DIO's time.
            Sources are tracked by `extract_f0` for all of them: it keeps more words of either.
    """

    card: VoiceCard
    spec: MelSpec
    source_stats: DomainStats
    target_stats: DomainStats
    is_any_to_one: bool
    generator: Generator
    path: Path | None = None
    second_pass: float = 0.0
    f0_tracker: str = TRACKER

    def __repr__(self) -> str:
        kind = "any source" if self.is_any_to_one else self.card.source or "one source"
        return f"Voice({self.card.name!r}, {kind}, {self.path or 'not in a file'})"

    def save(self, path: Path) -> None:
        """Write the voice file; it appears under its name only when complete."""
        header = {
            "network": NETWORK,
            "generator": self.generator.arguments,
            "mel_spec": self.spec.to_dict(),
            "source_stats": self.source_stats.to_dict(),
            "target_stats": self.target_stats.to_dict(),
            "is_any_to_one": self.is_any_to_one,
            "second_pass": self.second_pass,
            "f0_tracker": self.f0_tracker,
            "card": asdict(self.card),
        }
        write_artifact(path, VOICE, header, self.generator.to_fp16())

    @classmethod
    def load(cls, path: Path) -> "Voice":
        """Read a voice file of any format; ArtifactError where it cannot be used."""
        header, arrays = (artifact := read_artifact(path, VOICE)).header, artifact.arrays
        with building(path, VOICE):
            network = header.get("network", NETWORK)
            if network != NETWORK:
                raise ValueError(f"unknown network {network}; known is {NETWORK}")
            arguments = header["generator"]
            check_sizes(arguments)
            check_content(arguments.get("n_content", 0))
            generator = Generator(arguments, arrays)
            if generator.n_condition:
                raise ValueError("the generator is not bound to a speaker")
            generator.check()
            second_pass = float(header.get("second_pass", header.get("strength", 0.0)))
            if not 0 <= second_pass <= 1:
                raise ValueError(f"second_pass {second_pass} is not from 0 to 1")
            spec = MelSpec(**header["mel_spec"])
            return cls(
                card=VoiceCard(**header["card"]),
                spec=spec,
                source_stats=DomainStats.from_dict(header["source_stats"], spec.n_mels),
                target_stats=DomainStats.from_dict(header["target_stats"], spec.n_mels),
                is_any_to_one=bool(header["is_any_to_one"]),
                generator=generator,
                path=path,
                second_pass=second_pass,
                f0_tracker=str(header.get("f0_tracker", FORMER_TRACKER)),
            )


def check_voice_name(name: str, context: str = "") -> None:
    """Raise VoiceError, its message led by `context`, unless the name can be a file's name."""
    if not re.fullmatch(r"\w[\w .+-]*", name):
        raise VoiceError(
            f"{context}the voice's name {name!r} cannot be a file's name; names have letters, "
            "digits, spaces and . _ + -"
        )
