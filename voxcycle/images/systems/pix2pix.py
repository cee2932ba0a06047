"""pix2pix (`methods/pix2pix.py`), and the two domains that it shares with CycleGAN."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field, PositiveInt
from torch import nn

from voxcycle.images.batches import PairBatches
from voxcycle.images.image_set import load_domains
from voxcycle.images.systems.system import ImageConfig, ImageData
from voxcycle.methods.pix2pix import Pix2Pix
from voxcycle.models.coders import Shape
from voxcycle.models.image_translators import UNet
from voxcycle.models.patchgan import PatchGAN


class TranslationConfig(ImageConfig):
    """Settings that pix2pix and CycleGAN share: two domains and their discriminators."""

    is_paired: ClassVar[bool] = False

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

    def load(self) -> ImageData:
        """Read two domains; ValueError where their images differ in shape."""
        a, b = load_domains(self.data, "train", self.size, self.n_channels)
        if a.shape != b.shape:
            raise ValueError(
                f"{self.data}: trainA has images of the shape {a.shape}, trainB {b.shape}; set size"
            )
        batches = PairBatches(
            a, b, self.batch_size, self.seed, is_paired=self.is_paired, flips=self.flips
        )
        return ImageData(batches, a.shape)

    def build_discriminator(self, shape: Shape, n_channels: int) -> PatchGAN:
        """Return a PatchGAN; ValueError where it would halve the images away."""
        n_halvings = len(self.discriminator_widths) - 1
        if min(shape[1:]) < 1 << n_halvings:
            raise ValueError(
                f"discriminator_widths: {n_halvings} halvings of {shape[2]} x {shape[1]} pixels "
                f"leave none; at most {min(shape[1:]).bit_length()} widths, or larger images"
            )
        return PatchGAN(n_channels, self.discriminator_widths)


class Pix2PixConfig(TranslationConfig):
    """Settings of pix2pix; image i of trainA belongs to image i of trainB."""

    about: ClassVar[str] = "translates images, learned from pairs"
    is_paired: ClassVar[bool] = True

    n_down: int = Field(4, ge=2, description="halvings in the U-Net; sides are multiples of 2 ** n")
    l1: float = Field(100.0, ge=0, description="weight of the distance to the true image")

    def build(self, shape: Shape, n_values: Sequence[int]) -> nn.Module:
        """Build a U-Net and a discriminator that sees input and output together."""
        return Pix2Pix(
            UNet(shape[0], self.width, self.n_down),
            self.build_discriminator(shape, 2 * shape[0]),
            adversarial=self.adversarial,
            l1=self.l1,
            lr=self.lr,
            betas=self.betas,
        )
