"""The debiasing VAE: a face detector that resamples rare faces (`methods/debiasing_vae.py`)."""

from collections.abc import Sequence

from pydantic import Field
from torch import nn

from voxcycle.images.batches import FaceBatches
from voxcycle.images.image_set import ImageSet, find_value, load_images
from voxcycle.images.systems.autoencoder import AutoencoderConfig, build_coders
from voxcycle.images.systems.system import ImageData, System, read_factor
from voxcycle.methods.debiasing_vae import WEIGHTS, DebiasingVAE, Rule
from voxcycle.models.coders import Shape


class DebiasingVAEConfig(AutoencoderConfig):
    """Settings of the debiasing VAE."""

    face: str = Field("face", description="factor that separates faces from other images")
    face_value: int | str | None = Field(
        None, description="its value for faces, by name or number; null: 1 if values have no names"
    )
    classification: float = Field(1.0, ge=0, description="weight of the cross entropy, c1")
    reconstruction: float = Field(1.0, ge=0, description="weight of the absolute error, c2")
    kl: float = Field(5e-4, ge=0, description="weight of the KL term, c3")
    rule: Rule | None = Field(
        "max", description="how the latents' histograms weigh a face; null: all faces alike"
    )
    smoothing: float = Field(1e-3, gt=0, description="alpha; a smaller one favours rare faces more")
    every: int = Field(200, ge=1, description="steps between two weighings, and before the first")


def _load(config: DebiasingVAEConfig) -> ImageData:
    images = load_images(config.data, config.size, config.n_channels)
    is_face = read_factor(images, config.face, config) == _face_label(images, config)
    faces, others = images.subset(is_face), images.subset(~is_face)
    return ImageData(FaceBatches(faces, others, config.batch_size, config.seed), images.shape)


def _face_label(images: ImageSet, config: DebiasingVAEConfig) -> int:
    names = images.values(config.face)
    if len(names) != 2:
        raise ValueError(
            f"{config.data}: {config.face} has the values {', '.join(names.values())}; "
            "exactly two are needed, faces and the rest"
        )
    which = config.face_value
    if which is None and config.face in images.value_names:
        raise ValueError(
            f"{config.data}: say which are the faces, face_value={' or '.join(names.values())}"
        )
    try:
        return find_value(1 if which is None else which, names)
    except ValueError as error:
        raise ValueError(f"{config.data}: face_value: {error}") from None


def _build(config: DebiasingVAEConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    return DebiasingVAE(
        **build_coders(config, shape, 1 + 2 * config.n_latent),
        n_latent=config.n_latent,
        weights={name: getattr(config, name) for name in WEIGHTS},
        rule=config.rule,
        smoothing=config.smoothing,
        every=config.every,
        lr=config.lr,
    )


SYSTEM = System(
    "detects faces, and draws those faces more often whose latents are rare",
    DebiasingVAEConfig,
    _build,
    _load,
)
