"""Rice codes: integers that are mostly small, in few bits, written and read by NumPy alone.

An integer is folded to one without a sign, then split: the low k bits are stored as they are, the
rest in unary. Every group of integers has its own k. Both parts are found without a loop over
integers.
"""

import numpy as np
from numpy.typing import NDArray

GROUP = 128  # integers that share k
MAX_BITS = 24
Bytes = NDArray[np.uint8]


def encode_integers(values: NDArray[np.integer]) -> Bytes:
    """Return a code of integers (n,); ValueError for values that 24 bits do not hold."""
    signed = np.asarray(values, np.int64).reshape(-1)
    if len(signed) and np.abs(signed).max() >= 1 << (MAX_BITS - 1):
        raise ValueError(f"integers of {MAX_BITS} bits with a sign are the largest to encode")
    padded = np.pad(signed, (0, -len(signed) % GROUP)).reshape(-1, GROUP)
    folded = np.where(padded < 0, -2 * padded - 1, 2 * padded)
    bits = _choose_bits(folded)
    high = (folded >> bits[:, None]).reshape(-1)
    unary = np.zeros(int(high.sum()) + len(high), np.uint8)
    unary[np.cumsum(high + 1) - 1] = 1
    packed = np.packbits(unary)
    low = [
        (folded[bits == k][..., None] >> np.arange(k)) & 1 for k in range(1, MAX_BITS + 1)
    ]  # (groups, GROUP, k)
    parts = [
        np.frombuffer(np.array([len(signed), len(packed)], "<u4").tobytes(), np.uint8),
        bits.astype(np.uint8),
        packed,
        np.packbits(np.concatenate([part.astype(np.uint8).reshape(-1) for part in low])),
    ]
    return np.concatenate(parts)


def decode_integers(code: Bytes) -> NDArray[np.int64]:
    """Return the integers (n,) of a code; ValueError where it is no such code."""
    try:
        n, n_unary = (int(x) for x in np.frombuffer(code[:8].tobytes(), "<u4"))
        n_groups = -(-n // GROUP)
        bits, rest = code[8 : 8 + n_groups].astype(np.int64), code[8 + n_groups :]
        ends = np.flatnonzero(np.unpackbits(rest[:n_unary]))
        folded = (np.diff(ends, prepend=-1) - 1).reshape(n_groups, GROUP)
        folded <<= bits[:, None]
        low, start = np.unpackbits(rest[n_unary:]), 0
        for k in range(1, MAX_BITS + 1):
            chosen = np.flatnonzero(bits == k)
            stop = start + len(chosen) * GROUP * k
            part = low[start:stop].reshape(len(chosen), GROUP, k).astype(np.int64)
            folded[chosen] += part @ (1 << np.arange(k))
            start = stop
    except (ValueError, IndexError) as error:
        raise ValueError("a code of integers that is damaged or cut short") from error
    return np.where(folded & 1, -(folded + 1) // 2, folded // 2).reshape(-1)[:n]


def _choose_bits(folded: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the k of every group (groups, GROUP) that gives the shortest code."""
    lengths = [(folded >> k).sum(1) + (k + 1) * GROUP for k in range(MAX_BITS + 1)]
    return np.argmin(lengths, axis=0)
