from collections.abc import Callable

import pytest

from voxcycle.cli import main


@pytest.fixture
def run_cli(capfdbinary) -> Callable[..., tuple[int, bytes, str]]:
    """Run `voxcycle ...`; returns (exit code, stdout, stderr)."""

    def run(*arguments: object) -> tuple[int, bytes, str]:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capfdbinary.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err.decode()

    return run


@pytest.fixture
def convert(run_cli, voice_path) -> Callable[..., tuple[int, bytes, str]]:
    """Run `voxcycle convert ...` with the test voice."""
    common = ("--to", voice_path, "--vocoder", "griffin-lim")
    return lambda *arguments: run_cli("convert", *arguments, *common)
