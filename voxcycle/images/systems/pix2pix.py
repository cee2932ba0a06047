"""pix2pix, translation by pairs (`methods/pix2pix.py`), and what it shares with CycleGAN."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, PositiveInt
from torch import nn

from voxcycle.images.batches import PairBatches
from voxcycle.images.image_set import load_domains
from voxcycle.images.systems.system import ImageConfig, ImageData, System
from voxcycle.methods.pix2pix import Pix2Pix
from voxcycle.models.coders import Shape
from voxcycle.models.image_translators import UNet
from voxcycle.models.patchgan import PatchGAN


class TranslationConfig(ImageConfig):
    """Settings that pix2pix and CycleGAN share: two domains and their discriminators."""

    data: Path = Field(description="folder with the domains trainA and trainB, folders or .npz")
    batch_size: int = Field(8, ge=1, description="images of each domain per iteration")
    lr: float = Field(2e-4, gt=0, description="learning rate")
    betas: tuple[float, float] = Field((0.5, 0.999), description="of Adam")
    ema_decay: float = Field(0.995, ge=0, lt=1, description="of the averaged generators")
    flips: bool = Field(False, description="mirror every second batch, drawn at random")
    width: int = Field(32, ge=1, description="channels of the generator's first layer")
    discriminator_widths: tuple[PositiveInt, ...] = Field(
        (32, 64, 128), min_length=2, description="PatchGAN channels; all but the last halve"
    )
    adversarial: float = Field(1.0, ge=0, description="weight of the adversarial loss")


class Pix2PixConfig(TranslationConfig):
    """Settings of pix2pix; image i of trainA belongs to image i of trainB."""

    n_down: int = Field(4, ge=2, description="halvings in the U-Net; sides are multiples of 2 ** n")
    l1: float = Field(100.0, ge=0, description="weight of the distance to the true image")


def load_translation(config: TranslationConfig, is_paired: bool = False) -> ImageData:
    """Read two domains; ValueError where their images differ in shape."""
    a, b = load_domains(config.data, "train", config.size, config.n_channels)
    if a.shape != b.shape:
        raise ValueError(
            f"{config.data}: trainA has images of the shape {a.shape}, trainB {b.shape}; set size"
        )
    batches = PairBatches(
        a, b, config.batch_size, config.seed, is_paired=is_paired, flips=config.flips
    )
    return ImageData(batches, a.shape)


def build_discriminator(config: TranslationConfig, shape: Shape, n_channels: int) -> PatchGAN:
    """Return a PatchGAN; ValueError where it would halve the images away."""
    n_halvings = len(config.discriminator_widths) - 1
    if min(shape[1:]) < 1 << n_halvings:
        raise ValueError(
            f"discriminator_widths: {n_halvings} halvings of {shape[2]} x {shape[1]} pixels leave "
            f"none; at most {min(shape[1:]).bit_length()} widths, or larger images"
        )
    return PatchGAN(n_channels, config.discriminator_widths)


def _load(config: Pix2PixConfig) -> ImageData:
    return load_translation(config, is_paired=True)


def _build(config: Pix2PixConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    return Pix2Pix(
        UNet(shape[0], config.width, config.n_down),
        build_discriminator(config, shape, 2 * shape[0]),
        adversarial=config.adversarial,
        l1=config.l1,
        lr=config.lr,
        betas=config.betas,
    )


SYSTEM = System("translates images, learned from pairs", Pix2PixConfig, _build, _load)
