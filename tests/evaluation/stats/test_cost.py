import subprocess
import sys

import numpy as np
import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="what a child inherits is Linux's")
def test_peak_memory_is_the_process_s_own():
    ballast = np.ones(80_000_000 // 8)  # 80 MB in the parent
    code = "from voxcycle.evaluation.stats.cost import peak_memory_mb; print(peak_memory_mb())"
    child = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    grown = f"import numpy; x = numpy.ones(40_000_000); {code}"  # 320 MB
    larger = subprocess.run(
        [sys.executable, "-c", grown], check=True, capture_output=True, text=True
    ).stdout
    assert ballast.sum() > 0
    assert float(larger) - float(child) == pytest.approx(305, abs=60)
