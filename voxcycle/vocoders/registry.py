"""Vocoders by name."""

import os
from pathlib import Path

from voxcycle.audio.mel import MelSpec
from voxcycle.vocoders import Vocoder, VocoderError
from voxcycle.vocoders.griffin_lim import GriffinLim
from voxcycle.vocoders.hifigan import HiFiGAN
from voxcycle.vocoders.source_filter import SourceFilter

DEFAULT_VOCODER = "fast"
VOCODER_NAMES = ("fast", "hifigan", "griffin-lim")
SUFFIX = ".safetensors"  # of the files of source-filter vocoders
FAST_FILE = Path(__file__).with_name("fast.safetensors")


def load_vocoder(name: str, spec: MelSpec) -> Vocoder:
    """Load the vocoder of that name for mels of that analysis.

    Names are "fast" (our source-filter vocoder), "hifigan" (universal weights), "griffin-lim" (no
    weights), the path of a HiFi-GAN checkpoint in the published format, or of its folder, with a
    `config.json`, or the path of a source-filter vocoder (`.safetensors`).

    Raises:
        VocoderError: the name is unknown, or the file is no such checkpoint.
        ValueError: the vocoder was made for another analysis; both are named.
    """
    vocoder: Vocoder
    if name == "griffin-lim":
        vocoder = GriffinLim(spec)
    elif name == "hifigan":
        vocoder = HiFiGAN.load_universal()
    elif name == "fast" or Path(name).suffix == SUFFIX:
        vocoder = SourceFilter.load(FAST_FILE if name == "fast" else Path(name), name)
    elif Path(name).exists():
        vocoder = HiFiGAN.load(Path(name))
    elif "/" in name or os.sep in name:
        raise VocoderError(f"{name}: no such vocoder file")
    else:
        raise VocoderError(
            f"unknown vocoder {name!r}: known are {', '.join(VOCODER_NAMES)} and the path of a "
            "HiFi-GAN checkpoint with its config.json, or of a file of recipes/train_vocoder.py"
        )
    spec.require_same(vocoder.spec, "the voice", f"the vocoder {name}")
    return vocoder
