import pytest

from voxcycle.cli import main


@pytest.fixture
def run_cli(capfdbinary):
    """Run `voxcycle ...`; returns (exit code, stdout, stderr)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capfdbinary.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err.decode()

    return run


@pytest.fixture
def convert(run_cli, voice_path):
    """Run `voxcycle convert ...` with the test voice."""
    common = ("--to", voice_path, "--vocoder", "griffin-lim")
    return lambda *arguments: run_cli("convert", *arguments, *common)
