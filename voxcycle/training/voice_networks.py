"""From a config to the CycleGAN: the four networks (six with the two-step loss) and the method."""

from torch import nn

from voxcycle.audio.mel import MelSpec
from voxcycle.methods.cyclegan import CycleGAN, CycleGANNetworks, CycleGANRates, CycleGANWeights
from voxcycle.models.maskcyclegan_vc import MaskCycleGANDiscriminator, MaskCycleGANGenerator
from voxcycle.models.patchgan import PatchGAN, PatchGAN1d, PatchGANPair
from voxcycle.models.voice import VoiceGenerator
from voxcycle.training.voice_config import VoiceTrainingConfig


def build_method(config: VoiceTrainingConfig, spec: MelSpec) -> CycleGAN:
    """Build the four networks (six with the two-step loss) and the method around them."""
    conditions = config.any_to_one and config.conditions_source
    n_condition = 2 * spec.n_mels + 2 if conditions else 0

    def generator(n_condition: int) -> nn.Module:
        if config.networks == "maskcyclegan-vc":
            return MaskCycleGANGenerator(spec.n_mels)
        return VoiceGenerator(
            n_mels=spec.n_mels,
            width=config.width,
            n_blocks=config.n_blocks,
            n_excitation=spec.n_mels + 1 if config.uses_f0 else 0,
            n_condition=n_condition,
            has_skip=config.has_skip,
        )

    def judge(n_condition: int) -> nn.Module:
        if config.networks == "maskcyclegan-vc":
            return MaskCycleGANDiscriminator()
        n_planes = 1 + config.sees_excitation
        patches = PatchGAN(n_planes, config.discriminator_widths, n_condition)
        if not config.spectrum_width:
            return patches
        spectra = PatchGAN1d(n_planes * spec.n_mels, config.spectrum_width, n_condition)
        return PatchGANPair(patches, spectra)

    networks = CycleGANNetworks(generator(0), generator(n_condition), judge(n_condition), judge(0))
    if config.second_adversarial:
        networks.second_d_a, networks.second_d_b = judge(n_condition), judge(0)
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
