"""From a config to the CycleGAN: the networks and the method around them.

A voice has four networks (six with the two-step loss). The base has two, G and D, which are told
the speaker: they stand for all four, and for those of any voice once they are bound to its speaker.
"""

from torch import nn

from voxcycle.audio.mel import MelSpec
from voxcycle.methods.cyclegan import CycleGAN, CycleGANNetworks, CycleGANRates, CycleGANWeights
from voxcycle.models.maskcyclegan_vc import MaskCycleGANDiscriminator, MaskCycleGANGenerator
from voxcycle.models.patchgan import PatchGAN, PatchGAN1d, PatchGANPair
from voxcycle.models.voice_generator import VoiceGenerator
from voxcycle.speech.config import MelCycleGANConfig, VoiceTrainingConfig


def condition_size(spec: MelSpec) -> int:
    """Return how many numbers `stats_condition` makes of a speaker."""
    return 2 * spec.n_mels + 2


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
    n_planes = 1 + config.sees_excitation
    patches = PatchGAN(n_planes, config.discriminator_widths, n_condition)
    if not config.spectrum_width:
        return patches
    spectra = PatchGAN1d(n_planes * spec.n_mels, config.spectrum_width, n_condition)
    return PatchGANPair(patches, spectra)


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
