"""Which clusters of points a generator finds, how near its points are, and where they lie."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from voxcycle.files import replacing

N_DEVIATIONS = 3  # a point within so many of a cluster's centre belongs to it
FAIR_SHARE = 0.1  # a cluster with less than this part of an equal share counts as missing


class ModeCoverage(NamedTuple):
    """Of generated points: clusters found, share near any cluster, share of the rarest."""

    n_modes: int
    near: float
    rarest: float


def cover_modes(points: Tensor, centres: Tensor, deviation: float) -> ModeCoverage:
    """Judge points (N, 2) against round clusters of one standard deviation, centres (M, 2).

    Of such clusters themselves 1 - exp(-9 / 2) = 98.9 % are near.
    """
    distances, nearest = torch.cdist(points, centres.to(points.dtype)).min(1)
    is_near = distances <= N_DEVIATIONS * deviation
    shares = torch.bincount(nearest[is_near], minlength=len(centres)) / len(points)
    is_found = shares >= FAIR_SHARE / len(centres)
    return ModeCoverage(int(is_found.sum()), float(is_near.float().mean()), float(shares.min()))


def draw_points(path: Path, points: Tensor) -> None:
    """Draw points (N, 2) of the plane as a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 4), dpi=100, layout="constrained")
    axes = figure.add_subplot(aspect="equal")
    axes.plot(*points.T, "k.", markersize=3)
    with replacing(path) as partial:
        figure.savefig(partial, format="png")
