"""The base: one generator and one judge that are told the speaker, trained once over many.

Bound to a speaker's statistics they are the networks with which that speaker's voice begins.
"""

import copy
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats
from voxcycle.files import replacing
from voxcycle.methods.cyclegan import CycleGAN
from voxcycle.models.patchgan import PatchGAN, PatchGANPair
from voxcycle.models.voice_generator import VoiceGenerator
from voxcycle.speech.config import MelCycleGANConfig, VoiceTrainingConfig
from voxcycle.speech.crops import stats_condition
from voxcycle.speech.networks import build_generator, build_judge, condition_size

BASE_FILE = Path(__file__).with_name("pretrained.safetensors")  # the packaged one
FORMAT_VERSION = 1
# What decides the shapes of the networks, and what they are told.
SHAPING = (
    *("width", "n_blocks", "has_skip", "uses_f0"),
    *("discriminator_widths", "spectrum_width", "sees_excitation"),
)


@dataclass(frozen=True)
class Base:
    """G and D, conditioned on a speaker's statistics relative to `reference`.

    Attributes:
        generator: G, averaged over the training.
        judge: D.
        spec: the mel analysis.
        reference: mean statistics of the speakers that it was trained on.
        shape: the settings that decide the shapes of the networks.
        about: how it was trained.
    """

    generator: VoiceGenerator
    judge: PatchGAN | PatchGANPair
    spec: MelSpec
    reference: DomainStats
    shape: dict[str, Any]
    about: dict[str, Any]

    @staticmethod
    def sha256(path: Path) -> str:
        """Return the hash of a base file, by which a run knows it again."""
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def condition(self, stats: DomainStats) -> Tensor:
        """Return what the networks are told of a speaker, (n_condition,)."""
        return torch.from_numpy(stats_condition(stats, self.reference))

    def check(self, config: VoiceTrainingConfig) -> None:
        """Raise ValueError where a config wants networks of another kind than the base's."""
        for key, value in shape_of(config).items():
            if value != self.shape[key]:
                raise ValueError(
                    f"the base has {key}={self.shape[key]}, not {value}: leave the setting away, "
                    "or train without it (--from-scratch)"
                )

    def begin(
        self, method: CycleGAN, config: VoiceTrainingConfig, a: DomainStats, b: DomainStats
    ) -> None:
        """Copy the weights into a voice's networks, bound to speaker b, and a unless it is a pool.

        The config is one that `check` has found good.
        """
        is_told_a = config.any_to_one and config.conditions_source
        for stats, g, d in ((b, "g_ab", "d_b"), (a, "g_ba", "d_a")):
            own = self if is_told_a and g == "g_ba" else self.bind(stats)
            method.generators[g].load_state_dict(own.generator.state_dict())
            method.discriminators[d].load_state_dict(own.judge.state_dict())

    def bind(self, stats: DomainStats) -> "Base":
        """Return the networks of one speaker, who need not be told any more."""
        condition = self.condition(stats)
        return replace(
            self, generator=self.generator.bind(condition), judge=self.judge.bind(condition)
        )

    def blend(self, generator: VoiceGenerator, stats: DomainStats, share: float) -> VoiceGenerator:
        """Return a copy of a speaker's generator that is by `share` (0 to 1) what it began as.

        A training of a few minutes forgets sounds that its few recordings lack; on the line between
        both weights most of them return before most of the likeness goes. Wortsman et al., "Robust
        fine-tuning of zero-shot models" (2022).
        """
        blended, begun = copy.deepcopy(generator), self.bind(stats).generator.state_dict()
        with torch.no_grad():
            for name, weight in blended.state_dict().items():
                weight.lerp_(begun[name].to(weight), share)
        return blended

    def _networks(self) -> tuple[VoiceGenerator, PatchGAN | PatchGANPair]:
        return self.generator, self.judge

    def save(self, path: Path) -> None:
        """Write weights in fp16 with what is needed to rebuild them; renamed when whole."""
        header = {
            "format_version": FORMAT_VERSION,
            "mel_spec": self.spec.to_dict(),
            "reference": self.reference.to_dict(),
            "shape": self.shape,
            "about": self.about,
        }
        tensors = {
            f"{prefix}.{name}": value.detach().cpu().half().contiguous()
            for prefix, network in zip(("generator", "judge"), self._networks(), strict=True)
            for name, value in network.state_dict().items()
        }
        with replacing(path) as partial:
            save_file(tensors, partial, metadata={"voxcycle_base": json.dumps(header)})

    @classmethod
    def load(cls, path: Path) -> "Base":
        """Read a base file; ValueError names it and the remedy where it is none."""
        try:
            with safe_open(path, framework="pt") as opened:
                header = json.loads((opened.metadata() or {})["voxcycle_base"])
            spec = MelSpec(**header["mel_spec"])
            config = MelCycleGANConfig(out=path.parent, **header["shape"])
            base = cls(
                build_generator(config, spec, condition_size(spec)),
                build_judge(config, spec, condition_size(spec)),
                spec,
                DomainStats.from_dict(header["reference"]),
                header["shape"],
                header["about"],
            )
            tensors = load_file(path)
            for prefix, network in zip(("generator", "judge"), base._networks(), strict=True):
                network.load_state_dict(
                    {
                        name.removeprefix(f"{prefix}."): value.float()
                        for name, value in tensors.items()
                        if name.startswith(f"{prefix}.")
                    }
                )
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = (str(error).splitlines() or [""])[0]
            raise ValueError(
                f"{path}: not a base of voxcycle, or damaged ({reason}); make it again"
            ) from error
        return base


def shape_of(config: MelCycleGANConfig) -> dict[str, Any]:
    """Return the settings that decide the shapes of the networks, as JSON has them."""
    return config.model_dump(mode="json", include=set(SHAPING))
