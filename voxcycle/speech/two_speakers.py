"""Whether the clips of a folder are of one person, by their speaker embeddings."""

import numpy as np
from numpy.typing import NDArray

# Cosine of the mean embeddings of two groups, below which they are two people; measured by
# egs/real/mixed_folders.py.
MAX_COSINE = 0.6
MIN_GROUP, MIN_GROUP_SHARE = 3, 0.1  # clips of the smaller group; fewer are outliers
STARTS = (0.2, 0.5, 0.8)  # shares of the clips on one side of the first principal component
MAX_ROUNDS = 30
MIN_WEIGHT = 1e-3


def find_other_speaker(
    embeddings: NDArray[np.float32], weights: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which clips sound like another person than the most, (N,).

    The clips are split into two groups by 2-means. All are of one person unless the mean embeddings
    of the groups are far apart and neither group is very small.

    Args:
        embeddings: of the clips, unit vectors (N, D).
        weights: how far to trust each of them, (N,).
    """
    nobody, weights = np.zeros(len(embeddings), bool), np.maximum(weights, MIN_WEIGHT)
    splits = [_split(embeddings, weights, share) for share in STARTS]
    found = [(_scatter(embeddings, weights, split), split) for split in splits]
    _, split = min(found, key=lambda pair: pair[0])
    split = ~split if split.mean() > 0.5 else split
    if split.sum() < max(MIN_GROUP, MIN_GROUP_SHARE * len(split)):
        return nobody
    one, other = (_mean(embeddings, weights, part) for part in (split, ~split))
    cosine = one @ other / (np.linalg.norm(one) * np.linalg.norm(other))
    return split if cosine < MAX_COSINE else nobody


def _split(
    embeddings: NDArray[np.float32], weights: NDArray[np.float64], share: float
) -> NDArray[np.bool_]:
    """Return one of two groups (N,) of 2-means, begun along the first principal component."""
    centred = (embeddings - np.average(embeddings, axis=0, weights=weights)) * weights[:, None]
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    split = along > np.quantile(along, share)
    for _ in range(MAX_ROUNDS):
        if split.all() or not split.any():
            break
        one, other = (_mean(embeddings, weights, part) for part in (split, ~split))
        nearer = np.square(embeddings - one).sum(1) < np.square(embeddings - other).sum(1)
        if (nearer == split).all():
            break
        split = nearer
    return split


def _mean(
    embeddings: NDArray[np.float32], weights: NDArray[np.float64], part: NDArray[np.bool_]
) -> NDArray[np.float64]:
    return np.average(embeddings[part], axis=0, weights=weights[part])


def _scatter(
    embeddings: NDArray[np.float32], weights: NDArray[np.float64], split: NDArray[np.bool_]
) -> float:
    """Return the weighted sum of the squared distances from the means of two groups."""
    parts = [part for part in (split, ~split) if part.any()]
    return sum(
        float(weights[part] @ np.square(embeddings[part] - _mean(embeddings, weights, part)).sum(1))
        for part in parts
    )
