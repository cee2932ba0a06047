"""The systems of the lecture: for each its settings, how it is built, and who loads its images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from voxcycle.images.config import (
    AutoencoderConfig,
    ClassifierConfig,
    CycleGANConfig,
    DebiasingVAEConfig,
    GANConfig,
    Pix2PixConfig,
    ProgressiveGANConfig,
    RingGANConfig,
    StyleGANConfig,
    SystemConfig,
    TranslationConfig,
    VAEConfig,
)
from voxcycle.images.dataset import (
    Material,
    load_faces,
    load_gan,
    load_labelled,
    load_pair,
    load_ring,
    load_set,
)
from voxcycle.methods.autoencoder import Autoencoder
from voxcycle.methods.classifier import ClassifierTraining
from voxcycle.methods.cyclegan import CycleGAN, CycleGANNetworks, CycleGANRates, CycleGANWeights
from voxcycle.methods.debiasing_vae import DebiasingVAE, DebiasingWeights
from voxcycle.methods.gan import GAN
from voxcycle.methods.pix2pix import Pix2Pix, Pix2PixWeights
from voxcycle.methods.progressive_gan import Growth, ProgressiveGAN
from voxcycle.methods.stylegan import StyleGAN, StyleGANRegularizers
from voxcycle.methods.vae import VAE
from voxcycle.models.coders import Shape, build_decoder, build_encoder
from voxcycle.models.dcgan import (
    DCGANDiscriminator,
    DCGANGenerator,
    PointDiscriminator,
    PointGenerator,
)
from voxcycle.models.factor_classifier import Classifier
from voxcycle.models.growing_networks import (
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    stage_widths,
)
from voxcycle.models.image_translators import ResNetGenerator, UNet
from voxcycle.models.patchgan import PatchGAN
from voxcycle.models.style_networks import MappingNetwork, SynthesisNetwork


@dataclass(frozen=True)
class System:
    """One system of the lecture.

    Attributes:
        about: what it is, in a line.
        config: its settings.
        build: makes the method from settings, image shape and the factors' numbers of values.
        load: makes the batches.
    """

    about: str
    config: type[SystemConfig]
    build: Callable[[Any, Shape, Sequence[int]], nn.Module]
    load: Callable[[Any], Material]


def _build_coders(
    config: AutoencoderConfig, shape: Shape, n_out: int
) -> tuple[nn.Module, nn.Module]:
    kind, width, n_hidden = config.network, config.width, config.n_hidden
    return (
        build_encoder(kind, shape, width, n_out, n_hidden),
        build_decoder(kind, shape, width, config.n_latent, n_hidden),
    )


def _build_autoencoder(
    config: AutoencoderConfig, shape: Shape, n_values: Sequence[int]
) -> nn.Module:
    coders = _build_coders(config, shape, config.n_latent)
    return Autoencoder(*coders, config.n_latent, config.rate)


def _build_vae(config: VAEConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    coders = _build_coders(config, shape, 2 * config.n_latent)
    return VAE(*coders, config.n_latent, config.beta, config.rate)


def _build_debiasing_vae(
    config: DebiasingVAEConfig, shape: Shape, n_values: Sequence[int]
) -> nn.Module:
    return DebiasingVAE(
        *_build_coders(config, shape, 1 + 2 * config.n_latent),
        config.n_latent,
        DebiasingWeights(config.classification, config.reconstruction, config.kl),
        config.rule,
        config.smoothing,
        config.every,
        config.rate,
    )


def _build_classifier(config: ClassifierConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    return ClassifierTraining(Classifier(shape, [*n_values, 2], config.width), config.rate)


def _build_gan(config: GANConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    n_classes = n_values[0] if config.condition is not None else 0
    return GAN(
        DCGANGenerator(shape, config.width, config.n_latent, n_classes),
        DCGANDiscriminator(shape, config.width, n_classes),
        config.n_latent,
        n_classes,
        rate=config.rate,
        r1=config.r1,
        r1_every=config.r1_every,
    )


def _build_ring_gan(config: RingGANConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    return GAN(
        PointGenerator(config.width, config.n_latent),
        PointDiscriminator(config.width),
        config.n_latent,
        saturates=config.saturates,
        rate=config.rate,
    )


def _build_judge(config: TranslationConfig, shape: Shape, n_channels: int) -> PatchGAN:
    n_halvings = len(config.judge_widths) - 1
    if min(shape[1:]) < 1 << n_halvings:
        raise ValueError(
            f"judge_widths: {n_halvings} halvings of {shape[2]} x {shape[1]} pixels leave none; "
            f"at most {min(shape[1:]).bit_length()} widths, or larger images"
        )
    return PatchGAN(n_channels, config.judge_widths)


def _build_pix2pix(config: Pix2PixConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    return Pix2Pix(
        UNet(shape[0], config.width, config.n_down),
        _build_judge(config, shape, 2 * shape[0]),
        Pix2PixWeights(config.adversarial, config.l1),
        config.rate,
        config.betas,
    )


def _build_cyclegan(config: CycleGANConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    networks = CycleGANNetworks(
        *(ResNetGenerator(shape[0], config.width, config.n_blocks) for _ in "ab"),
        *(_build_judge(config, shape, shape[0]) for _ in "ab"),
    )
    weights = CycleGANWeights(
        adversarial_a=config.adversarial,
        adversarial_b=config.adversarial,
        cycle_a=config.cycle,
        cycle_b=config.cycle,
        identity_a=config.identity,
        identity_b=config.identity,
    )
    rates = CycleGANRates(config.rate, config.rate, config.betas, clip=None)
    return CycleGAN(networks, weights, rates, scores_identity=False)


def _build_progressive_gan(
    config: ProgressiveGANConfig, shape: Shape, n_values: Sequence[int]
) -> nn.Module:
    widths = stage_widths(shape, config.width, config.max_width)
    last = len(widths) - 1
    first = 0 if config.is_growing else last
    return ProgressiveGAN(
        ProgressiveGenerator(shape, widths, config.n_latent, first),
        ProgressiveDiscriminator(shape, widths, first),
        Growth(first, last, config.fade_steps, config.stable_steps),
        config.n_latent,
        config.rate,
        config.r1,
        config.r1_every,
    )


def _build_stylegan(config: StyleGANConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    widths = stage_widths(shape, config.width, config.max_width)
    return StyleGAN(
        MappingNetwork(config.n_latent, config.n_mapping),
        SynthesisNetwork(shape, widths, config.n_latent),
        DCGANDiscriminator(shape, config.judge_width),
        config.n_latent,
        config.rate,
        StyleGANRegularizers(
            config.r1,
            config.r1_every,
            config.path_length,
            config.path_length_every,
            config.mixing,
        ),
    )


SYSTEMS = {
    "autoencoder": System(
        "a bottleneck and the reconstruction",
        AutoencoderConfig,
        _build_autoencoder,
        load_set,
    ),
    "vae": System(
        "an autoencoder with a prior: samples, walks; with beta above 1, separate factors",
        VAEConfig,
        _build_vae,
        load_set,
    ),
    "debiasing_vae": System(
        "tells faces from the rest, and draws those faces more often whose latents are rare",
        DebiasingVAEConfig,
        _build_debiasing_vae,
        load_faces,
    ),
    "classifier": System(
        "tells every factor of an image: the judge of the others' pictures",
        ClassifierConfig,
        _build_classifier,
        load_labelled,
    ),
    "gan_ring": System(
        "two players on eight clusters of points: the game that can be watched",
        RingGANConfig,
        _build_ring_gan,
        load_ring,
    ),
    "gan": System(
        "a generator against a discriminator; with condition=FACTOR both are told the class",
        GANConfig,
        _build_gan,
        load_gan,
    ),
    "pix2pix": System(
        "translates images after pairs of them",
        Pix2PixConfig,
        _build_pix2pix,
        load_pair,
    ),
    "cyclegan": System(
        "translates between two domains without pairs: the core of the voices",
        CycleGANConfig,
        _build_cyclegan,
        load_pair,
    ),
    "progressive_gan": System(
        "a GAN that grows from 4 x 4 pixels to the full size",
        ProgressiveGANConfig,
        _build_progressive_gan,
        load_set,
    ),
    "stylegan": System(
        "a GAN of styles, one per layer: mixing, truncation, walks in W",
        StyleGANConfig,
        _build_stylegan,
        load_set,
    ),
}


def find_system(name: str) -> System:
    """Return a system of the lecture; ValueError names those that there are."""
    if name not in SYSTEMS:
        raise ValueError(f"no method {name!r} in the lecture: there are {', '.join(SYSTEMS)}")
    return SYSTEMS[name]
