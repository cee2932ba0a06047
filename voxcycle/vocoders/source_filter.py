"""The source-filter vocoder behind the `Vocoder` Protocol, and its file."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.source_signals import noise_blocks, onset_phases, source_signals
from voxcycle.files import replacing
from voxcycle.models.source_filter_networks import SourceFilterVocoder
from voxcycle.vocoders import Place, VocoderError

FORMAT_VERSION = 1


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
        self.network = network.eval()
        self.spec = network.spec
        self.context_frames = network.context_frames

    @torch.no_grad()
    def decode(
        self, log_mel: Tensor, f0_hz: Tensor | None = None, place: Place | None = None
    ) -> Tensor:
        """Render (B, n_mels, F) at F0 (B, F), by default as heard in the mels; see `Vocoder`."""
        if f0_hz is None:
            f0_hz = self.network.pitch.estimate(log_mel)
        phases = place.phases if place else _phases(f0_hz, self.spec)
        first = place.first_frame if place else 0
        noise = noise_blocks(first, log_mel.shape[-1], self.spec).expand(len(log_mel), -1)
        sources = source_signals(f0_hz, phases, noise, self.spec)
        return self.network(log_mel, f0_hz, sources)

    def save(self, path: Path, about: dict[str, Any]) -> None:
        """Write weights in fp16 with what is needed to rebuild the network; renamed when whole."""
        header = {
            "format_version": FORMAT_VERSION,
            "network": self.network.arguments,
            "mel_spec": self.spec.to_dict(),
            "about": about,
        }
        tensors = {k: v.half().contiguous() for k, v in self.network.state_dict().items()}
        with replacing(path) as partial:
            save_file(tensors, partial, metadata={"voxcycle_vocoder": json.dumps(header)})

    @classmethod
    def load(cls, path: Path, name: str | None = None) -> "SourceFilter":
        """Read a vocoder file, by default named by its path.

        VocoderError names it and the remedy where it is none.
        """
        try:
            with safe_open(path, framework="pt") as opened:
                header = json.loads((opened.metadata() or {})["voxcycle_vocoder"])
            if header["format_version"] > FORMAT_VERSION:
                raise VocoderError(
                    f"{path}: the vocoder file has format {header['format_version']}, this "
                    f"voxcycle reads up to {FORMAT_VERSION}; update voxcycle"
                )
            network = SourceFilterVocoder(MelSpec(**header["mel_spec"]), **header["network"])
            network.load_state_dict({k: v.float() for k, v in load_file(path).items()})
        except (OSError, SafetensorError, KeyError, TypeError, RuntimeError) as error:
            reason = (str(error).splitlines() or [""])[0]
            if isinstance(error, KeyError):
                reason = f"it says nothing of {reason}"
            raise VocoderError(
                f"{path}: not a vocoder file of voxcycle, or damaged ({reason}); fetch it again"
            ) from error
        return cls(network.requires_grad_(False), header.get("about"), name or str(path))


def _phases(f0_hz: Tensor, spec: MelSpec) -> Tensor:
    return torch.stack([torch.from_numpy(onset_phases(f0.numpy(), spec)) for f0 in f0_hz])
