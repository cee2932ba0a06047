"""Gaussian noise that is the same everywhere, and the same as PyTorch's generator makes it.

Voices were trained with tables and noise of that generator, which must not change under them.
"""

import numpy as np
from numpy.typing import NDArray

LANES = 16  # numbers that PyTorch's Box-Muller transform makes at a time


def draw_normal(n: int, seed: int) -> NDArray[np.float32]:
    """Return n normal deviates, n a multiple of 16, as `torch.randn` with a seeded CPU generator.

    24 bits of each number of a Mersenne twister are a uniform one; of every sixteen the first eight
    give radii, the others angles (Box and Muller, 1958).
    """
    if n % LANES:
        raise ValueError(f"{n} numbers: a multiple of {LANES} is needed")
    bits = np.random.RandomState(seed % 2**32).randint(0, 2**32, n, np.uint32)
    uniform = (bits & 0xFFFFFF).astype(np.float32) * np.float32(2**-24)
    radius, angle = uniform.reshape(-1, 2, LANES // 2).transpose(1, 0, 2)
    radius = np.sqrt(-2 * np.log(1 - radius))
    angle = np.float32(2 * np.pi) * angle
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(n)
