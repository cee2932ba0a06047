"""The debiasing VAE, a face detector (`methods/debiasing_vae.py`)."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import nn

from voxcycle.images.batches import FaceBatches
from voxcycle.images.image_set import ImageSet, find_value
from voxcycle.images.systems.system import ImageData
from voxcycle.images.systems.vae import AutoencoderConfig
from voxcycle.methods.debiasing_vae import WEIGHTS, DebiasingVAE, Rule
from voxcycle.models.coders import Shape


class DebiasingVAEConfig(AutoencoderConfig):
    """Settings of the debiasing VAE."""

    about: ClassVar[str] = "detects faces, and draws those faces more often whose latents are rare"

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

    def load(self) -> ImageData:
        """Read the images; ValueError where it is unclear which are faces."""
        images = self.load_images()
        is_face = self.read_factor(images, self.face) == self._face_label(images)
        faces, others = images.subset(is_face), images.subset(~is_face)
        return ImageData(FaceBatches(faces, others, self.batch_size, self.seed), images.shape)

    def _face_label(self, images: ImageSet) -> int:
        names = images.values(self.face)
        if len(names) != 2:
            raise ValueError(
                f"{self.data}: {self.face} has the values {', '.join(names.values())}; "
                "exactly two are needed, faces and the rest"
            )
        which = self.face_value
        if which is None and self.face in images.value_names:
            raise ValueError(
                f"{self.data}: say which are the faces, face_value={' or '.join(names.values())}"
            )
        try:
            return find_value(1 if which is None else which, names)
        except ValueError as error:
            raise ValueError(f"{self.data}: face_value: {error}") from None

    def build(self, shape: Shape, n_values: Sequence[int]) -> nn.Module:
        """Build a VAE whose encoder has one more output, face or not."""
        return DebiasingVAE(
            **self.build_coders(shape, 1 + 2 * self.n_latent),
            n_latent=self.n_latent,
            weights={name: getattr(self, name) for name in WEIGHTS},
            rule=self.rule,
            smoothing=self.smoothing,
            every=self.every,
            lr=self.lr,
        )
