"""How the package is found."""

import subprocess
import sys
from pathlib import Path


def test_a_folder_of_the_packages_name_does_not_hide_it(tmp_path: Path) -> None:
    """A clone is named voxcycle as a rule, and scripts lie beside it."""
    (tmp_path / "voxcycle").mkdir()
    code = "import voxcycle; voxcycle.load_voice('heart')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
