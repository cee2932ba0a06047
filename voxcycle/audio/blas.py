"""Matrix products of NumPy on one thread: idle threads of BLAS would take cores from networks."""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

_alone = threading.RLock()  # the number of threads belongs to the process


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let products and decompositions within use one thread. Keep them short: others wait.

    After work on several threads, those of OpenBLAS wait busily for a tenth of a second and hold
    the cores that the next network needs.
    """
    blas = _find_blas()
    with _alone, blas.limit(limits=1) if blas else nullcontext():
        yield


@functools.cache
def _find_blas() -> "ThreadpoolController | None":
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:  # where a packed training runs
        return None
    return ThreadpoolController().select(user_api="blas")
