"""Whether unit vectors are of one person: groups of known directions."""

import numpy as np
import pytest

from voxcycle.speech.two_speakers import find_other_speaker


def draw(angles, scatter=0.02, seed=0):
    """Return unit vectors (N, 8) at angles in the plane of the first two axes, with noise."""
    noise = np.random.default_rng(seed).normal(0, scatter, (len(angles), 8))
    vectors = noise + np.pad(np.stack([np.cos(angles), np.sin(angles)], 1), ((0, 0), (0, 6)))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("degrees", "n_other", "is_found"),
    [
        (60, 10, True),  # a cosine of 0.5
        (40, 10, False),  # of 0.77
        (60, 4, True),
        (60, 3, False),  # under a tenth: outliers
        (0, 10, False),
    ],
)
def test_two_groups_are_people_where_they_are_far_apart(degrees, n_other, is_found):
    n = 40
    is_other = np.arange(n) >= n - n_other
    found = find_other_speaker(draw(np.radians(degrees) * is_other), np.ones(n))
    assert found.tolist() == (is_other if is_found else np.zeros(n, bool)).tolist()


def test_of_three_people_the_smaller_side_is_marked():
    people = np.repeat([0, 1, 2], [20, 12, 8])
    found = find_other_speaker(draw(np.radians([0, 80, 100])[people]), np.ones(40))
    assert found.tolist() == (people > 0).tolist()
