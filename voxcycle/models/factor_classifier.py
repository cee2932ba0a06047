"""A small convolutional classifier of several factors, whose features compare images."""

from collections.abc import Sequence

from torch import Tensor, nn

from voxcycle.models.coders import Shape, last_side, n_halvings

N_FEATURES = 64


class Classifier(nn.Module):
    """Strided convolutions to `last_side`, a layer of features, and one linear head per factor.

    Args:
        shape: channels, height and width of the images, see `n_halvings`.
        n_values: how many values each factor has.
        width: channels of the first layer, doubled at each further one.
    """

    def __init__(self, shape: Shape, n_values: Sequence[int], width: int = 32) -> None:
        super().__init__()
        widths = [shape[0], *(width << i for i in range(n_halvings(shape)))]
        layers: list[nn.Module] = []
        for n_in, n_out in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Conv2d(n_in, n_out, 4, 2, 1), nn.BatchNorm2d(n_out), nn.LeakyReLU(0.2)]
        n_flat = last_side(shape) ** 2 * widths[-1]
        self.trunk = nn.Sequential(*layers, nn.Flatten(), nn.Linear(n_flat, N_FEATURES))
        self.heads = nn.ModuleList(nn.Linear(N_FEATURES, n) for n in n_values)

    def features(self, images: Tensor) -> Tensor:
        """Return (B, N_FEATURES) of images (B, C, H, W) in [-1, 1]."""
        return self.trunk(images)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the logits (B, n) of every factor."""
        features = self.features(images).relu()
        return [head(features) for head in self.heads]
