"""From a config to the CycleGAN: the four networks (six with the two-step loss) and the method."""

from torch import nn

from voxcycle.audio.mel import MelSpec
from voxcycle.methods.cyclegan import CycleGAN, CycleGANNetworks, CycleGANRates, CycleGANWeights
from voxcycle.models.maskcyclegan_vc import MaskCycleGANDiscriminator, MaskCycleGANGenerator
from voxcycle.models.voice import BandGAN, JointJudge, PatchGAN, VoiceGenerator
from voxcycle.training.voice_config import VoiceTrainingConfig


def build_method(config: VoiceTrainingConfig, spec: MelSpec, n_speakers: int = 1) -> CycleGAN:
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
        if config.band_judge:
            n_bands = spec.n_mels * (1 + config.sees_excitation)
            return JointJudge(patch(n_condition), BandGAN(n_bands, config.band_judge, n_condition))
        return patch(n_condition)

    def patch(n_condition: int) -> PatchGAN:
        return PatchGAN(1 + config.sees_excitation, config.discriminator_widths, n_condition)

    networks = CycleGANNetworks(generator(0), generator(n_condition), judge(n_condition), judge(0))
    if config.second_adversarial:
        networks.second_d_a, networks.second_d_b = judge(n_condition), judge(0)
    if config.confusion:
        networks.c_a = PatchGAN(1, config.discriminator_widths, 0, n_speakers)
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
