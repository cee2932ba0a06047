"""The systems of the lecture: for each its settings, how it is built, and what it sees."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.utils.data import Dataset

from voxcycle.data.images import ImageBatches, PairBatches, load_domains, load_images
from voxcycle.methods.autoencoder import Autoencoder
from voxcycle.methods.classifier import ClassifierTraining
from voxcycle.methods.cyclegan import CycleGAN, CycleGANNetworks, CycleGANRates, CycleGANWeights
from voxcycle.methods.pix2pix import Pix2Pix, Pix2PixWeights
from voxcycle.methods.vae import VAE
from voxcycle.models.autoencoder import Shape, build_decoder, build_encoder
from voxcycle.models.classifier import Classifier
from voxcycle.models.image import ResNetGenerator, UNet
from voxcycle.models.patchgan import PatchGAN
from voxcycle.training.lecture_config import (
    AutoencoderConfig,
    ClassifierConfig,
    CycleGANConfig,
    LectureConfig,
    Pix2PixConfig,
    TranslationConfig,
    VAEConfig,
)


@dataclass(frozen=True)
class Material:
    """What a training sees, and what a network must know of it.

    Attributes:
        batches: batch i for step i.
        shape: channels, height and width of the images.
        n_values: how many values each factor of the labels has.
    """

    batches: Dataset[Any]
    shape: Shape
    n_values: tuple[int, ...] = ()


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
    config: type[LectureConfig]
    build: Callable[[Any, Shape, Sequence[int]], nn.Module]
    load: Callable[[Any], Material]


def _load_images(config: LectureConfig) -> Material:
    images = load_images(config.data, config.size, config.n_channels)
    n_values = tuple(int(column.max()) + 1 for column in images.labels.T)
    return Material(ImageBatches(images, config.batch_size, config.seed), images.shape, n_values)


def _build_autoencoder(
    config: AutoencoderConfig, shape: Shape, n_values: Sequence[int]
) -> nn.Module:
    return Autoencoder(
        build_encoder(config.network, shape, config.width, config.n_latent),
        build_decoder(config.network, shape, config.width, config.n_latent),
        config.n_latent,
        config.rate,
    )


def _build_vae(config: VAEConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    return VAE(
        build_encoder(config.network, shape, config.width, 2 * config.n_latent),
        build_decoder(config.network, shape, config.width, config.n_latent),
        config.n_latent,
        config.beta,
        config.rate,
    )


def _build_classifier(config: ClassifierConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    return ClassifierTraining(Classifier(shape, [*n_values, 2], config.width), config.rate)


def _load_domains(config: TranslationConfig) -> Material:
    a, b = load_domains(config.data, "train", config.size, config.n_channels)
    if a.shape != b.shape:
        raise ValueError(
            f"{config.data}: trainA has images of the shape {a.shape}, trainB {b.shape}; set size"
        )
    is_paired = isinstance(config, Pix2PixConfig)
    batches = PairBatches(a, b, config.batch_size, config.seed, is_paired, config.flips)
    return Material(batches, a.shape)


def _build_pix2pix(config: Pix2PixConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    return Pix2Pix(
        UNet(shape[0], config.width, config.n_down),
        PatchGAN(2 * shape[0], config.judge_widths),
        Pix2PixWeights(config.adversarial, config.l1),
        config.rate,
        config.betas,
    )


def _build_cyclegan(config: CycleGANConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    networks = CycleGANNetworks(
        *(ResNetGenerator(shape[0], config.width, config.n_blocks) for _ in "ab"),
        *(PatchGAN(shape[0], config.judge_widths) for _ in "ab"),
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
    return CycleGAN(networks, weights, rates, judges_identity=False)


SYSTEMS = {
    "autoencoder": System(
        "a bottleneck and the reconstruction",
        AutoencoderConfig,
        _build_autoencoder,
        _load_images,
    ),
    "vae": System(
        "an autoencoder with a prior: samples, walks; with beta above 1, separate factors",
        VAEConfig,
        _build_vae,
        _load_images,
    ),
    "classifier": System(
        "tells every factor of an image: the judge of the others' pictures",
        ClassifierConfig,
        _build_classifier,
        _load_images,
    ),
    "pix2pix": System(
        "translates images after pairs of them",
        Pix2PixConfig,
        _build_pix2pix,
        _load_domains,
    ),
    "cyclegan": System(
        "translates between two domains without pairs: the core of the voices",
        CycleGANConfig,
        _build_cyclegan,
        _load_domains,
    ),
}


def find_system(name: str) -> System:
    """Return a system of the lecture; ValueError names those that there are."""
    if name not in SYSTEMS:
        raise ValueError(f"no method {name!r} in the lecture: there are {', '.join(SYSTEMS)}")
    return SYSTEMS[name]
