"""Measures of a latent space: path length, what a swap takes over, and disentanglement.

The first two are StyleGAN's. The mutual information gap, whether every factor of the data lives in
one latent, is that of Chen et al. (2018), section 4.1, as Locatello et al. (2019) estimate it: the
mean codes in 20 bins of equal width. Judge means over seeds: the seed matters as much as the model
(Locatello et al.).
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

EPSILON = 1e-3  # step along a path; the paper's 1e-4 drowns in the rounding of float32
BATCH = 256
N_BINS = 20

Network = Callable[[Tensor], Tensor]
Interpolation = Callable[[Tensor, Tensor, Tensor], Tensor]


def slerp(start: Tensor, end: Tensor, place: Tensor) -> Tensor:
    """Go along the great circle between directions (B, n): Karras et al. (2019), section 4.1.

    Returns (B, n), of length 1: the start's direction at place 0 (B, 1), the end's at 1.
    """
    start = start / start.norm(dim=1, keepdim=True)
    end = end / end.norm(dim=1, keepdim=True)
    angle = (start * end).sum(1, keepdim=True).clamp(-1, 1).acos()
    across = end - start * angle.cos()
    across = across / across.norm(dim=1, keepdim=True)
    return start * (place * angle).cos() + across * (place * angle).sin()


@torch.no_grad()
def path_length(
    decode: Network,
    features: Network,
    start: Tensor,
    end: Tensor,
    places: Tensor,
    interpolate: Interpolation = torch.lerp,
) -> float:
    """Return E |f(x(t + eps)) - f(x(t))|^2 / eps^2: Karras et al. (2019), eq. 2 and 3.

    On features of our own classifier: published lengths are no comparison. A straight line of
    features from the start's image to the end's is shortest.

    `decode` maps latents to images, `features` these to (B, n), and `interpolate` two latents
    (B, n_latent) and places, t in [0, 1), (B, 1), to latents.
    """

    def embed(at: Tensor) -> Tensor:
        z = interpolate(start, end, at)
        return torch.cat([features(decode(part)) for part in z.split(BATCH)])

    return float(((embed(places + EPSILON) - embed(places)) / EPSILON).square().sum(1).mean())


def share_taken_over(own: Tensor, other: Tensor, mixed: Tensor) -> Tensor:
    """Return how often a mixed image has the other's value of a factor, where the two differ.

    Beyond chance, as Cohen's kappa: chance is how often it has the value of yet another image.

    Args:
        own: labels (B, n_factors) of the images that are changed.
        other: of those whose styles they get in some layers.
        mixed: of the results.

    Returns:
        (n_factors,): 1 where all is taken over, 0 where nothing is; nan where no pair differs.
    """

    def share_hit(wanted: Tensor) -> Tensor:
        differ = own != wanted
        return ((mixed == wanted) & differ).sum(0) / differ.sum(0)

    chance = share_hit(other.roll(1, 0))
    return (share_hit(other) - chance) / (1 - chance)


def mutual_informations(
    codes: NDArray[np.floating], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return I(z_j; v_k) in nats, (n_latent, n_factors).

    Args:
        codes: (N, n_latent), the means of the posteriors.
        labels: (N, n_factors), values from 0.
    """
    edges = [np.histogram_bin_edges(code, N_BINS) for code in codes.T]
    binned = [np.digitize(code, edge[1:-1]) for code, edge in zip(codes.T, edges, strict=True)]
    return np.array([[_mutual_information(code, value) for value in labels.T] for code in binned])


def entropies(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the entropy of every factor (n_factors,) in nats."""
    return np.array([_mutual_information(value, value) for value in labels.T])


def mutual_information_gap(codes: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Mean over factors of (largest - second largest mutual information) / entropy.

    1 where one latent tells all of a factor and no other anything of it; 0 where two tell as much.
    Codes in fewer bins than a factor has values cannot reach 1.
    """
    ordered = np.sort(mutual_informations(codes, labels), axis=0)
    return float(np.mean((ordered[-1] - ordered[-2]) / entropies(labels)))


def _mutual_information(x: NDArray[np.int64], y: NDArray[np.int64]) -> float:
    joint = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(joint, (x, y), 1 / len(x))
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / independent[seen])).sum())
