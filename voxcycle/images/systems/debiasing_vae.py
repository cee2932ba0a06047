"""The debiasing VAE: a classifier of faces that draws rare faces more often."""

from collections.abc import Sequence

from pydantic import Field
from torch import nn

from voxcycle.images.dataset import ImageData, read_factor
from voxcycle.images.face_batches import FaceBatches
from voxcycle.images.image_set import ImageSet, load_images
from voxcycle.images.labels import find_value
from voxcycle.images.systems.autoencoder import AutoencoderConfig, build_coders
from voxcycle.images.systems.system import System
from voxcycle.methods.debiasing_vae import DebiasingVAE, DebiasingWeights
from voxcycle.methods.resampling import Rule
from voxcycle.models.coders import Shape


class DebiasingVAEConfig(AutoencoderConfig):
    """Of `methods/debiasing_vae.py`."""

    face: str = Field("face", description="the factor that separates faces from the rest")
    face_value: int | str | None = Field(
        None, description="its value of faces, by name or number; null: 1 where values have no name"
    )
    classification: float = Field(1.0, ge=0, description="weight of the cross entropy, c1")
    reconstruction: float = Field(1.0, ge=0, description="weight of the absolute error, c2")
    kl: float = Field(5e-4, ge=0, description="weight of the KL term, c3")
    rule: Rule | None = Field(
        "max", description="how latents' histograms weigh a face; null: all faces alike"
    )
    smoothing: float = Field(1e-3, gt=0, description="alpha; the smaller, the more of the rare")
    every: int = Field(200, ge=1, description="steps between two weighings, and before the first")


def build(config: DebiasingVAEConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    """Build the method."""
    return DebiasingVAE(
        *build_coders(config, shape, 1 + 2 * config.n_latent),
        config.n_latent,
        DebiasingWeights(config.classification, config.reconstruction, config.kl),
        config.rule,
        config.smoothing,
        config.every,
        config.lr,
    )


def load(config: DebiasingVAEConfig) -> ImageData:
    """Read faces and the rest; ValueError where it is not said which is which."""
    images = load_images(config.data, config.size, config.n_channels)
    is_face = read_factor(images, config.face, config) == find_face_value(images, config)
    faces, others = images.subset(is_face), images.subset(~is_face)
    return ImageData(FaceBatches(faces, others, config.batch_size, config.seed), images.shape)


def find_face_value(images: ImageSet, config: DebiasingVAEConfig) -> int:
    """Return the value of faces; ValueError where the settings do not say which it is."""
    values = images.values(config.face)
    if len(values) != 2:
        raise ValueError(
            f"{config.data}: {config.face} has the values {', '.join(values.values())}; "
            "faces and the rest are two"
        )
    which = config.face_value
    if which is None and config.face in images.value_names:
        raise ValueError(
            f"{config.data}: say which are the faces, face_value={' or '.join(values.values())}"
        )
    try:
        return find_value(1 if which is None else which, values)
    except ValueError as error:
        raise ValueError(f"{config.data}: face_value: {error}") from None


SYSTEM = System(
    "separates faces from the rest, and draws faces with rare latents more often",
    DebiasingVAEConfig,
    build,
    load,
)
