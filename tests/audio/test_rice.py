import numpy as np
import pytest

from voxcycle.audio.rice import GROUP, decode_integers, encode_integers


@pytest.mark.parametrize("n", [0, 1, GROUP - 1, GROUP, GROUP + 1, 5 * GROUP + 7])
@pytest.mark.parametrize("size", [0, 1, 30, 40_000])
def test_integers_come_back(n, size):
    values = np.random.default_rng(n).integers(-size, size + 1, n)
    np.testing.assert_array_equal(decode_integers(encode_integers(values)), values)


def test_groups_of_different_sizes_come_back():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.integers(-size, size + 1, 200) for size in (3, 8_000_000, 0, 90)])
    np.testing.assert_array_equal(decode_integers(encode_integers(values)), values)


def test_a_code_is_as_long_as_theory_says():
    """Zeros take a bit each; Laplacian integers come within 5 % of their entropy."""
    zeros = encode_integers(np.zeros(80 * GROUP, int))
    assert len(zeros) == 8 + 80 + 80 * GROUP // 8  # lengths, one k per group, a bit per zero
    values = np.rint(np.random.default_rng(0).laplace(0, 20, 200_000)).astype(int)
    shares = np.unique(values, return_counts=True)[1] / len(values)
    entropy = -(shares * np.log2(shares)).sum()
    assert entropy < 8 * len(encode_integers(values)) / len(values) < 1.05 * entropy


def test_damaged_codes_and_large_values_are_refused():
    code = encode_integers(np.arange(1000))
    for cut in (5, 12, 100, len(code) - 9):
        with pytest.raises(ValueError, match="damaged or cut short"):
            decode_integers(code[:cut])
    with pytest.raises(ValueError, match="24 bits"):
        encode_integers(np.array([1 << 23]))
