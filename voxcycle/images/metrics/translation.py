"""How well images were translated where the true results are known, as for drawn twins.

Images are (N, C, H, W) in [-1, 1]; distances are on the scale of 0 to 1, black to white.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from voxcycle.images.image_files import draw_grid

AGREE = 0.02  # twins agree in a pixel where no channel differs by more
HOTTEST = 0.3  # difference that is drawn white


@dataclass(frozen=True)
class TranslationResult:
    """One direction between two domains, images (N, C, H, W) each."""

    source: Tensor
    fake: Tensor
    cycled: Tensor
    twins: Tensor  # the true translations, of which no training saw one

    @property
    def ratio(self) -> float:
        """Distance to the twins, over the distance that leaving the source as it is would have."""
        return mean_distance(self.fake, self.twins) / mean_distance(self.source, self.twins)

    @property
    def change_outside(self) -> float:
        """Mean change of the pixels that the translation has nothing to do with."""
        differs = (self.source - self.twins).abs().amax(1, keepdim=True) / 2 > AGREE
        outside = ~differs.expand_as(self.source)
        return mean_distance(self.fake[outside], self.source[outside])

    @property
    def cycle(self) -> float:
        """Distance of what comes back from what left."""
        return mean_distance(self.cycled, self.source)


@torch.no_grad()
def translate_both_ways(
    translate: Callable[[Tensor, bool], Tensor], a: Tensor, b: Tensor
) -> tuple[TranslationResult, TranslationResult]:
    """Translate twins a to b and b to a; `translate` with True maps from b to a."""
    fake_b, fake_a = translate(a, False), translate(b, True)
    return (
        TranslationResult(a, fake_b, translate(fake_b, True), b),
        TranslationResult(b, fake_a, translate(fake_a, False), a),
    )


def mean_distance(x: Tensor, y: Tensor) -> float:
    """Return the mean absolute difference (L1)."""
    return float((x - y).abs().mean() / 2)


def structural_similarity(x: Tensor, y: Tensor) -> float:
    """Return the mean SSIM of pairs of images, Wang et al. (2004)."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    # The formula wants brightness from 0: around 0, an image is like its own negative.
    value = structural_similarity_index_measure((x + 1) / 2, (y + 1) / 2, data_range=1.0)
    return torch.as_tensor(value).item()


def gradient_energy(images: Tensor) -> float:
    """Return the mean squared difference of neighbours, down plus right: what blur lowers."""
    down, right = (images.diff(dim=dim) / 2 for dim in (-2, -1))
    return float(down.square().mean() + right.square().mean())


def draw_translations(
    path: Path,
    results: tuple[TranslationResult, TranslationResult],
    names: tuple[str, str],
    n: int = 10,
) -> None:
    """Draw both directions: source, translation, true twin, their difference, translation back.

    `results` are from a to b and from b to a, `names` those of a and b, n the images of each.
    """
    rows, labels = [], []
    for result, (source, target) in zip(results, (names, names[::-1]), strict=True):
        rows += [result.source, result.fake, result.twins]
        rows += [heat(result.fake, result.twins), result.cycled]
        labels += [f"real {source}", f"made {target}", "true twin", "difference", "and back"]
    draw_grid(path, [row[:n] for row in rows], labels)


def heat(x: Tensor, y: Tensor) -> Tensor:
    """Return pictures (N, 3, H, W) of the difference in each pixel: black none, white `HOTTEST`."""
    from matplotlib import colormaps

    difference = (x - y).abs().mean(1) / 2 / HOTTEST
    colours = colormaps["inferno"](difference.clamp(max=1).cpu().numpy())[..., :3]
    return torch.from_numpy(colours).float().movedim(-1, 1) * 2 - 1
