"""How like a set of real images a set of generated ones is, by features of our own classifier.

The Frechet distance of Heusel et al. (2017) and the kernel distance of Binkowski et al. (2018), but
not on Inception's features, which would have to be downloaded: call them *domain* FID and KID, read
them beside the distance between two halves of the real images, and compare them with nothing
published. Precision and recall are those of Kynkaanniemi et al. (2019).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Features = Callable[[Tensor], Tensor]
N_NEIGHBOURS = 3
BATCH = 256
SEED = 0  # of subsets and draws


@dataclass(frozen=True)
class ImageQuality:
    """Distances of generated from real images."""

    fid: float  # domain FID
    floor: float  # domain FID between the two halves of the real images
    kid: float  # domain KID, mean over subsets
    kid_std: float  # over subsets
    precision: float  # share of generated images within the real ones' manifold
    recall: float  # share of real images within the generated ones' manifold


def compare_images(generated: Tensor, real: Tensor, features: Features) -> ImageQuality:
    """Compare images (N, C, H, W) in [-1, 1] with as many or more real ones.

    The floor takes two disjoint sets of real images, half as many as there are. Features are
    scaled so that those of the real images vary by 1 in the mean: the kernel's terms then weigh
    alike, whatever the classifier.
    """
    x, y = embed(generated, features), embed(real, features)
    scale = y.var(0).mean().sqrt()
    x, y = x / scale, y / scale
    half = len(y) // 2
    kid, kid_std = kernel_distance(x, y)
    n = min(len(x), len(y))
    precision, recall = precision_recall(x[:n], y[:n])
    return ImageQuality(
        fid=frechet_distance(x, y),
        floor=frechet_distance(y[:half], y[half:]),
        kid=kid,
        kid_std=kid_std,
        precision=precision,
        recall=recall,
    )


@torch.no_grad()
def embed(images: Tensor, features: Features) -> Tensor:
    """Return the features (N, D) of images, in batches."""
    return torch.cat([features(batch) for batch in images.split(BATCH)])


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """|mean_x - mean_y|^2 + tr(C_x + C_y - 2 (C_x C_y)^1/2), of features (N, D)."""
    x, y = x.double(), y.double()
    c_x, c_y = torch.cov(x.T), torch.cov(y.T)
    # The product has the eigenvalues of a symmetric positive matrix, whatever its own shape.
    roots = torch.linalg.eigvals(c_x @ c_y).real.clamp(min=0).sqrt().sum()
    means = (x.mean(0) - y.mean(0)).square().sum()
    return float(means + c_x.trace() + c_y.trace() - 2 * roots)


def kernel_distance(
    x: Tensor, y: Tensor, n_subsets: int = 20, size: int = 200
) -> tuple[float, float]:
    """Return mean and deviation of the unbiased squared MMD, cubic kernel, over random subsets."""
    generator = torch.Generator().manual_seed(SEED)
    size = min(size, len(x), len(y))
    distances = []
    for _ in range(n_subsets):
        a = x[torch.randperm(len(x), generator=generator)[:size]].double()
        b = y[torch.randperm(len(y), generator=generator)[:size]].double()
        k_aa, k_bb, k_ab = (((p @ q.T) / p.shape[1] + 1) ** 3 for p, q in ((a, a), (b, b), (a, b)))
        within = (k_aa.sum() - k_aa.trace() + k_bb.sum() - k_bb.trace()) / (size * (size - 1))
        distances.append(within - 2 * k_ab.mean())
    stacked = torch.stack(distances)
    return float(stacked.mean()), float(stacked.std())


def precision_recall(generated: Tensor, real: Tensor) -> tuple[float, float]:
    """Return the shares of generated in the real manifold, and of real in the generated one.

    A manifold is the union of balls around its features (N, D), each as large as the distance to
    the third-nearest other one.
    """
    to_real = torch.cdist(generated, real)
    precision = (to_real <= _radii(real)[None]).any(1).float().mean()
    recall = (to_real.T <= _radii(generated)[None]).any(1).float().mean()
    return float(precision), float(recall)


def _radii(features: Tensor) -> Tensor:
    distances = torch.cdist(features, features)
    return distances.kthvalue(N_NEIGHBOURS + 1, dim=1).values  # the nearest is itself


def draw_from_gaussian(images: Tensor, n: int) -> Tensor:
    """Draw n images of the normal distribution with the mean and covariance of images' pixels.

    What a generator must be better than: it knows every pair of pixels and nothing else.
    """
    flat = images.flatten(1).double()
    variances, directions = torch.linalg.eigh(torch.cov(flat.T))
    generator = torch.Generator().manual_seed(SEED)
    noise = torch.randn(n, len(variances), generator=generator).double()
    drawn = flat.mean(0) + (noise * variances.clamp(min=0).sqrt()) @ directions.T
    return drawn.to(images.dtype).clamp(-1, 1).reshape(n, *images.shape[1:])


def nearest_images(generated: Tensor, training: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each image the mean absolute distance to the nearest training image, and which.

    Whoever memorises has distances near 0.
    """
    x, y = generated.flatten(1), training.flatten(1)
    found = [torch.cdist(rows, y, p=1).min(1) for rows in x.split(64)]
    distances = torch.cat([f.values for f in found]) / x.shape[1]
    return distances, torch.cat([f.indices for f in found])
