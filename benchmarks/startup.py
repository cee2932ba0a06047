"""Start-up: `voxcycle --help` and `import voxcycle`, against a bare interpreter in the same run.

python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from voxcycle.evaluation.stats.cost import cpu_name


def median_seconds(work: Callable[[], object]) -> float:
    """Return the median wall time of five runs, after one that is not counted."""
    work()
    times = []
    for _ in range(5):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    print(cpu_name())
    commands = {
        "python -c pass": ["-c", "pass"],
        "import voxcycle": ["-c", "import voxcycle"],
        "voxcycle --help": ["-m", "voxcycle", "--help"],
    }
    bare = 0.0
    for name, arguments in commands.items():
        seconds = median_seconds(
            lambda arguments=arguments: subprocess.run(
                [sys.executable, *arguments], check=True, capture_output=True
            )
        )
        bare = bare or seconds
        print(f"{name:16} {seconds:.3f} s, {seconds / bare:.1f} times a bare interpreter")


if __name__ == "__main__":
    main()
