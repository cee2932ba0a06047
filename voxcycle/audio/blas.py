"""NumPy's matrix products on one thread, so that BLAS's others take no core from networks."""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

_alone = threading.Lock()  # the number of threads belongs to the process


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let products and decompositions within use one thread; for short work, as others wait.

    After work on several threads, those of OpenBLAS wait busily for a tenth of a second and hold
    the cores that the next network needs.
    """
    with _alone, _find_blas().limit(limits=1):
        yield


@functools.cache
def _find_blas() -> "ThreadpoolController":
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
