"""From a config to the CycleGAN: the networks and the method around them.

A voice has four networks (six with the two-step loss). The base has two, G and D, which are told
the speaker: they stand for all four, and for those of any voice once they are bound to its speaker.
"""

from torch import nn

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats
from voxcycle.methods.cyclegan import CycleGAN, CycleGANNetworks, CycleGANRates, CycleGANWeights
from voxcycle.models.maskcyclegan_vc import MaskCycleGANDiscriminator, MaskCycleGANGenerator
from voxcycle.models.patchgan import PatchGAN, PatchGANPair, build_mel_discriminator
from voxcycle.models.voice_generator import VoiceGenerator
from voxcycle.speech.config import MelCycleGANConfig, VoiceTrainingConfig
from voxcycle.voices.pretrained import Pretrained, condition_size


def build_method(config: VoiceTrainingConfig, spec: MelSpec) -> CycleGAN:
    """Build the four networks (six with the two-step loss) and the method around them."""
    n_told = condition_size(spec) if config.any_to_one and config.conditions_source else 0

    def generator(n_condition: int) -> nn.Module:
        if config.networks == "maskcyclegan-vc":
            return MaskCycleGANGenerator(spec.n_mels)
        return build_generator(config, spec, n_condition)

    def judge(n_condition: int) -> nn.Module:
        if config.networks == "maskcyclegan-vc":
            return MaskCycleGANDiscriminator()
        return build_judge(config, spec, n_condition)

    networks = CycleGANNetworks(generator(0), generator(n_told), judge(n_told), judge(0))
    if config.second_adversarial:
        networks.second_d_a, networks.second_d_b = judge(n_told), judge(0)
    return _surround(networks, config)


def build_base_method(config: MelCycleGANConfig, spec: MelSpec) -> CycleGAN:
    """Build G and D of the base, each in both directions, and the method around them."""
    g = build_generator(config, spec, condition_size(spec))
    d = build_judge(config, spec, condition_size(spec))
    return _surround(CycleGANNetworks(g, g, d, d), config)


def build_generator(config: MelCycleGANConfig, spec: MelSpec, n_condition: int) -> VoiceGenerator:
    """Build a generator of the config's size."""
    return VoiceGenerator(
        n_mels=spec.n_mels,
        width=config.width,
        n_blocks=config.n_blocks,
        n_excitation=spec.n_mels + 1 if config.uses_f0 else 0,
        n_condition=n_condition,
        has_skip=config.has_skip,
    )


def build_judge(
    config: MelCycleGANConfig, spec: MelSpec, n_condition: int
) -> PatchGAN | PatchGANPair:
    """Build a discriminator of the config's size."""
    return build_mel_discriminator(
        n_planes=1 + config.sees_excitation,
        n_mels=spec.n_mels,
        widths=config.discriminator_widths,
        spectrum_width=config.spectrum_width,
        n_condition=n_condition,
    )


def check_pretrained(pretrained: Pretrained, config: MelCycleGANConfig) -> None:
    """Raise ValueError where a config asks for other networks than the pretrained ones."""
    g, d = pretrained.generator.arguments, pretrained.discriminator.arguments
    shape = {
        "width": g["width"],
        "n_blocks": g["n_blocks"],
        "has_skip": g["has_skip"],
        "uses_f0": g["n_excitation"] > 0,
        "sees_excitation": d["n_planes"] > 1,
        "discriminator_widths": tuple(d["widths"]),
        "spectrum_width": d["spectrum_width"],
    }
    for key, value in shape.items():
        if getattr(config, key) != value:
            raise ValueError(
                f"the pretrained generator has {key}={value}, not {getattr(config, key)}: leave "
                "the setting out, or train without it (--from-scratch)"
            )


def start_from_pretrained(
    method: CycleGAN, pretrained: Pretrained, a: DomainStats | None, b: DomainStats
) -> None:
    """Copy the pretrained weights into a voice's networks, bound to speaker b and to speaker a.

    Where `a` is None, domain a is a pool: its networks stay conditional. The config is one that
    `check_pretrained` accepts.
    """
    for stats, g, d in ((b, "g_ab", "d_b"), (a, "g_ba", "d_a")):
        own = pretrained if stats is None else pretrained.bind(stats)
        method.generators[g].load_state_dict(own.generator.state_dict())
        method.discriminators[d].load_state_dict(own.discriminator.state_dict())


def _surround(networks: CycleGANNetworks, config: MelCycleGANConfig) -> CycleGAN:
    weights = {name: getattr(config, name) for name in CycleGANWeights.__dataclass_fields__}
    return CycleGAN(
        networks,
        CycleGANWeights(**weights),
        CycleGANRates(
            config.generator_rate, config.discriminator_rate, config.adam_betas, config.clip
        ),
        config.sees_excitation,
        config.judges_identity,
    )
