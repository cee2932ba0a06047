"""Whether every factor of the data lives in one latent: the mutual information gap.

Chen et al. (2018), section 4.1, as Locatello et al. (2019) estimate it: the mean codes in 20 bins
of equal width. Judge means over seeds: the seed matters as much as the model (Locatello et al.).
"""

import numpy as np
from numpy.typing import NDArray

N_BINS = 20


def mutual_informations(
    codes: NDArray[np.floating], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return I(z_j; v_k) in nats, (n_latent, n_factors).

    Args:
        codes: (N, n_latent), the means of the posteriors.
        labels: (N, n_factors), values from 0.
    """
    binned = [_bin(code) for code in codes.T]
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


def _bin(code: NDArray[np.floating]) -> NDArray[np.int64]:
    edges = np.histogram_bin_edges(code, N_BINS)
    return np.digitize(code, edges[1:-1])


def _mutual_information(x: NDArray[np.int64], y: NDArray[np.int64]) -> float:
    joint = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(joint, (x, y), 1 / len(x))
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / independent[seen])).sum())
