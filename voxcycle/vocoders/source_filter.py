"""The source-filter vocoder behind the `Vocoder` Protocol, and its file."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from voxcycle.artifacts import VOCODER, building, check_sizes, read_artifact, write_artifact
from voxcycle.audio.f0 import FORMER_TRACKER, TRACKER
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.source_signals import noise_blocks, onset_phases, source_signals
from voxcycle.models.source_filter_networks import SourceFilterVocoder
from voxcycle.models.weights import load_network, to_arrays
from voxcycle.vocoders import ChunkPosition

RETIRED_ARGUMENTS = {"has_puffs": True, "sees_source": False}


class SourceFilter:
    """Renders mels and F0 by `SourceFilterVocoder`; see `Vocoder`."""

    follows_f0 = True

    def __init__(
        self,
        network: SourceFilterVocoder,
        about: dict[str, Any] | None = None,
        name: str = "source-filter",
    ) -> None:
        self.name = name  # as the user names it
        self.about = about or {}  # how it was trained
        self.f0_tracker = TRACKER  # of its training; files that name none are from DIO's time
        self.network = network.eval()
        self.spec = network.spec
        self.context_frames = network.context_frames

    @torch.no_grad()
    def decode(
        self, log_mel: Tensor, f0_hz: Tensor | None = None, position: ChunkPosition | None = None
    ) -> Tensor:
        """Render (B, n_mels, F) at F0 (B, F), by default as heard in the mels; see `Vocoder`."""
        if f0_hz is None:
            f0_hz = self.network.pitch.estimate(log_mel)
        if position is None:
            phases = [torch.from_numpy(onset_phases(f0.numpy(), self.spec)) for f0 in f0_hz]
            position = ChunkPosition(0, torch.stack(phases))
        noise = noise_blocks(position.first_frame, log_mel.shape[-1], self.spec).expand(
            len(log_mel), -1
        )
        sources = source_signals(f0_hz, position.phases, noise, self.spec)
        return self.network(log_mel, f0_hz, sources)

    def save(self, path: Path, about: dict[str, Any]) -> None:
        """Write weights in fp16 with what is needed to rebuild the network; renamed when whole."""
        header = {
            "network": self.network.arguments,
            "mel_spec": self.spec.to_dict(),
            "f0_tracker": self.f0_tracker,
            "about": about,
        }
        write_artifact(path, VOCODER, header, to_arrays(self.network))

    @classmethod
    def load(cls, path: Path, name: str | None = None) -> "SourceFilter":
        """Read a vocoder file of any format; ArtifactError where it cannot be used."""
        header, arrays = (artifact := read_artifact(path, VOCODER)).header, artifact.arrays
        with building(path, VOCODER):
            spec, arguments = MelSpec(**header["mel_spec"]), _drop_retired(header["network"])
            check_sizes(arguments)
            network = load_network(lambda: SourceFilterVocoder(spec, **arguments), arrays)
        loaded = cls(network.requires_grad_(False), header.get("about"), name or str(path))
        loaded.f0_tracker = str(header.get("f0_tracker", FORMER_TRACKER))
        return loaded


def _drop_retired(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return constructor arguments; format 1 has two more, each with one value that still works."""
    for name, value in RETIRED_ARGUMENTS.items():
        if arguments.get(name, value) != value:
            raise ValueError(f"{name}={arguments[name]} is no longer supported")
    return {name: value for name, value in arguments.items() if name not in RETIRED_ARGUMENTS}
