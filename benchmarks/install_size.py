"""What `pip install voxcycle` brings: bytes in site-packages by package, and how long it takes.

    python benchmarks/install_size.py [--result ID]

Installs this clone with its dependencies into a new virtual environment, bytecode included. pip is
not counted, and neither is setuptools, which only Python 3.11 puts into a new environment.
"""

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from voxcycle.evaluation.report.record import record_benchmark
from voxcycle.evaluation.report.results import Value
from voxcycle.evaluation.stats.cost import cpu_name

CLONE = Path(__file__).parents[1]
NOT_COUNTED = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence")
N_LARGEST = 12


def measure(folder: Path) -> dict[str, float]:
    """Return megabytes (10^6 bytes) by the first part of the names in site-packages."""
    sizes: dict[str, float] = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            name = path.relative_to(folder).parts[0].removesuffix(".libs")
            if not name.startswith(NOT_COUNTED):
                sizes[name] = sizes.get(name, 0.0) + path.stat().st_size / 1e6
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result", help="ID of the result file to write under results/")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        environment = Path(temporary) / "venv"
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        started = time.monotonic()
        subprocess.run([python, "-m", "pip", "install", "--quiet", CLONE], check=True)
        seconds = time.monotonic() - started
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
        sizes = measure(Path(done.stdout.strip()))
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:N_LARGEST]
    rows: list[dict[str, Value]] = [{"row": "all", "megabytes": round(sum(sizes.values()), 1)}]
    rows += [{"row": name, "megabytes": round(size, 1)} for name, size in largest]
    rows.append({"row": "seconds of pip install", "megabytes": None, "seconds": round(seconds, 1)})
    for row in rows:
        print(*row.values())
    if args.result:
        record_benchmark(
            CLONE / f"results/{args.result}.json",
            "The small installation",
            rows,
            machine=f"{cpu_name()}, Python {platform.python_version()}",
            wall_s=seconds,
            notes=["10^6 bytes of files, bytecode included, pip and setuptools not."],
        )


if __name__ == "__main__":
    main()
