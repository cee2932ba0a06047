"""From a config to the CycleGAN: the networks and the method around them.

A voice has four networks. The pretrained ones are two, G and D, conditioned on the speaker: they
stand for all four, and for those of any voice once they are bound to its speaker.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from voxcycle.artifacts import PRETRAINED, building
from voxcycle.audio.mel import MelSpec
from voxcycle.methods.cyclegan import (
    CycleGAN,
    CycleGANNetworks,
    CycleGANRates,
    CycleGANWeights,
    Teacher,
)
from voxcycle.models.patchgan import PatchGAN, PatchGANPair, build_mel_discriminator
from voxcycle.models.voice_generator import VoiceGenerator
from voxcycle.models.weights import load_network, store_network
from voxcycle.speech.config import MelCycleGANConfig, VoiceTrainingConfig
from voxcycle.speech.listener import Listener
from voxcycle.speech.speakers import Speaker
from voxcycle.voices.content import load_phonetic_encoder
from voxcycle.voices.generator import Generator
from voxcycle.voices.pretrained import Pretrained
from voxcycle.voices.speaker_encoder import SpeakerEncoder

Teachers = Mapping[str, Teacher] | None


def build_method(
    config: VoiceTrainingConfig, spec: MelSpec, n_condition: int, teachers: Teachers = None
) -> CycleGAN:
    """Build the four networks and the method around them; those of a pool are conditional."""
    n_cond = n_condition if config.any_to_one else 0
    networks = CycleGANNetworks(
        g_ab=build_generator(config, spec, 0),
        g_ba=build_generator(config, spec, n_cond),
        d_a=build_discriminator(config, spec, n_cond),
        d_b=build_discriminator(config, spec, 0),
    )
    return _build_cyclegan(networks, config, spec, teachers)


def build_pretraining_method(
    config: MelCycleGANConfig, spec: MelSpec, n_condition: int, teachers: Teachers = None
) -> CycleGAN:
    """Build G and D of the pretraining, each for both directions, and the method around them."""
    g = build_generator(config, spec, n_condition)
    d = build_discriminator(config, spec, n_condition)
    return _build_cyclegan(CycleGANNetworks(g, g, d, d), config, spec, teachers)


def build_generator(config: MelCycleGANConfig, spec: MelSpec, n_cond: int) -> VoiceGenerator:
    """Build a generator of the config's size, on content."""
    return VoiceGenerator(
        n_mels=spec.n_mels,
        width=config.width,
        n_blocks=config.n_blocks,
        n_excitation=spec.n_mels + 1 if config.uses_f0 else 0,
        n_condition=n_cond,
        has_skip=False,
        n_content=len(load_phonetic_encoder().mean),
    )


def build_discriminator(
    config: MelCycleGANConfig, spec: MelSpec, n_cond: int
) -> PatchGAN | PatchGANPair:
    """Build a discriminator of the config's size."""
    return build_mel_discriminator(
        n_planes=1 + config.sees_excitation,
        n_mels=spec.n_mels,
        widths=config.discriminator_widths,
        spectrum_width=config.spectrum_width,
        n_condition=n_cond,
    )


def check_pretrained(pretrained: Pretrained, config: MelCycleGANConfig) -> None:
    """Raise ValueError where a config asks for other networks than the pretrained ones."""
    g, d = pretrained.generator.arguments, pretrained.discriminator.arguments
    if not g.get("n_content"):
        raise ValueError(
            "the pretrained generator is of an older kind, which took mels for its source: choose "
            "another file, or train without it (--from-scratch)"
        )
    shape = {
        "width": g["width"],
        "n_blocks": g["n_blocks"],
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
    load_discriminator(pretrained)  # fails where it is damaged


def check_teachers(config: MelCycleGANConfig, encoder: SpeakerEncoder | None) -> None:
    """Raise ValueError where a weight needs a network that is not there."""
    if config.speaker and encoder is None:
        raise ValueError(
            f"speaker={config.speaker:g} needs a speaker encoder: start from a pretrained file "
            "that holds one, or set speaker=0"
        )


def start_from_pretrained(
    method: CycleGAN, pretrained: Pretrained, a: Speaker | None, b: Speaker
) -> None:
    """Copy pretrained weights, bound to speakers a and b, into a voice's networks.

    Those of a pool, which is None, are not bound. The config is one that `check_pretrained`
    accepts.
    """
    for speaker, g, d in ((b, "g_ab", "d_b"), (a, "g_ba", "d_a")):
        generator, discriminator = pretrained.generator, load_discriminator(pretrained)
        if speaker is not None:
            condition = pretrained.condition(speaker.stats, speaker.embedding)
            generator = generator.bind(condition)
            discriminator = discriminator.bind(torch.from_numpy(condition))
        method.generators[g].load_state_dict(load_generator(generator).state_dict())
        method.discriminators[d].load_state_dict(discriminator.state_dict())


def load_generator(generator: Generator) -> VoiceGenerator:
    """Return a stored generator as a module."""
    return load_network(lambda: VoiceGenerator(**generator.arguments), generator.weights)


def store_generator(module: nn.Module) -> Generator:
    """Return a generator that is trained, as it is now."""
    stored = store_network(module)
    return Generator(stored.arguments, stored.weights)


def load_discriminator(pretrained: Pretrained) -> PatchGAN | PatchGANPair:
    """Return the discriminator of a pretrained file; ArtifactError where it cannot be built."""
    stored = pretrained.discriminator
    with building(pretrained.path or Path("pretrained networks"), PRETRAINED):
        return load_network(lambda: build_mel_discriminator(**stored.arguments), stored.weights)


def _build_cyclegan(
    networks: CycleGANNetworks, config: MelCycleGANConfig, spec: MelSpec, teachers: Teachers
) -> CycleGAN:
    weights = {name: getattr(config, name) for name in CycleGANWeights.__dataclass_fields__}
    rates = CycleGANRates(config.generator_lr, config.discriminator_lr, clip=config.clip)
    return CycleGAN(
        networks,
        CycleGANWeights(**weights),
        rates,
        sees_excitation=config.sees_excitation,
        scores_identity=config.scores_identity,
        teachers=teachers,
        listen=Listener(spec),
    )
