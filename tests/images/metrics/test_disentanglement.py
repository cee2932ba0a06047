import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from voxcycle.images.metrics.disentanglement import (
    entropies,
    mutual_information_gap,
    mutual_informations,
)


@pytest.fixture
def labels() -> np.ndarray:
    """Every combination of 3, 4 and 5 values, ten times."""
    grid = np.stack(np.meshgrid(np.arange(3), np.arange(4), np.arange(5), indexing="ij"), -1)
    return np.tile(grid.reshape(-1, 3), (10, 1)).astype(np.int64)


def test_a_code_that_is_the_factors_has_a_gap_of_one(labels: np.ndarray) -> None:
    """Order, scale and sign of the latents mean nothing, nor does an idle one."""
    code = np.concatenate([labels[:, [2, 0, 1]] * [-3.0, 0.1, 7.0], np.zeros((len(labels), 1))], 1)
    assert mutual_information_gap(code, labels) == pytest.approx(1.0)


def test_a_factor_that_two_latents_tell_has_no_gap(labels: np.ndarray) -> None:
    code = np.concatenate([labels, -labels], 1).astype(float)
    assert mutual_information_gap(code, labels) == pytest.approx(0.0)
    code = np.concatenate([labels, labels[:, :1]], 1).astype(float)  # one of three factors
    assert mutual_information_gap(code, labels) == pytest.approx(2 / 3)


def test_noise_has_almost_no_gap(labels: np.ndarray) -> None:
    noise = np.random.default_rng(0).standard_normal((len(labels), 6))
    assert 0 <= mutual_information_gap(noise, labels) < 0.03


def test_a_rotation_of_two_factors_loses_their_gap() -> None:
    """Both latents tell as much of either factor: what a VAE without pressure is free to do."""
    grid = np.stack(np.meshgrid(np.arange(16), np.arange(16), indexing="ij"), -1).reshape(-1, 2)
    turned = grid @ np.array([[1.0, 1.0], [1.0, -1.0]])
    assert mutual_information_gap(grid.astype(float), grid) == pytest.approx(1.0)
    assert mutual_information_gap(turned, grid) < 0.05


def test_entropies_by_hand(labels: np.ndarray) -> None:
    assert entropies(labels).tolist() == pytest.approx(np.log([3, 4, 5]).tolist())


def test_informations_are_those_of_sklearn(labels: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    codes = labels[:, :2] + rng.standard_normal((len(labels), 2))
    found = mutual_informations(codes, labels)
    assert found.shape == (2, 3)
    for j in range(2):
        edges = np.linspace(codes[:, j].min(), codes[:, j].max(), 21)
        bins = np.digitize(codes[:, j], edges[1:-1])
        for k in range(3):
            assert found[j, k] == pytest.approx(mutual_info_score(bins, labels[:, k]), abs=1e-9)
