"""The command line: one file per command; each parses, calls and prints.

Heavy modules are imported inside the commands, so that `voxcycle --help` is quick.
"""

import errno
import io
import sys
from collections.abc import Sequence

import typer

from voxcycle.cli.clone import clone
from voxcycle.cli.convert import convert
from voxcycle.cli.doctor import doctor
from voxcycle.cli.evaluate import evaluate
from voxcycle.cli.export import export
from voxcycle.cli.images import images_app
from voxcycle.cli.prepare import prepare
from voxcycle.cli.serve import serve
from voxcycle.cli.train import train
from voxcycle.cli.voices import voices_app
from voxcycle.console import to_line

EXIT_FAILED = 2
EXTRAS = {
    "evaluate": "eval",
    "images": "images",
    "serve": "web",
}  # of commands; all others need that to train
REMEDIES = {
    errno.ENOSPC: "make room, then run the command again",
    errno.EDQUOT: "make room, then run the command again",
    errno.EFBIG: "name a disk that takes files of this size",
    errno.EROFS: "name another folder",
}
# Packages whose extra does not depend on the command.
PACKAGES = {"ray": "cluster", "fsspec": "cluster", "pyarrow": "cluster"}

app = typer.Typer(
    help="Voice conversion offline, on a CPU.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help and errors, and no time for rich at the start
    pretty_exceptions_enable=False,
)
for command in (convert, clone, prepare, train, evaluate, export, serve, doctor):
    app.command()(command)
app.add_typer(voices_app, name="voices")
app.add_typer(images_app, name="images")


@app.callback(invoke_without_command=True)
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        import voxcycle

        typer.echo(f"voxcycle {voxcycle.__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0, 2 for errors (in one sentence), 130 for Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may hold any bytes
    try:
        app(args=arguments)
    except ModuleNotFoundError as error:
        typer.echo(f"error: {_describe_missing(error, arguments)}", err=True)
        sys.exit(EXIT_FAILED)
    except PermissionError as error:
        place = error.filename or "a file"
        error_line = f"error: {place}: permission denied; make it yours, or name another"
        typer.echo(to_line(error_line), err=True)
        sys.exit(EXIT_FAILED)
    except (ValueError, OSError, ImportError) as error:
        typer.echo(to_line(f"error: {_describe(error)}"), err=True)
        sys.exit(EXIT_FAILED)


def _describe(error: Exception) -> str:
    """Return one sentence: what errors of the system lack is said for them."""
    if not isinstance(error, OSError) or not error.filename or not error.strerror:
        return str(error)
    remedy = REMEDIES.get(error.errno or 0)
    return f"{error.filename}: {error.strerror}" + (f"; {remedy}" if remedy else "")


def _describe_missing(error: ModuleNotFoundError, arguments: Sequence[str] | None) -> str:
    """Return which extra brings a package that a command needs; what says so itself is kept."""
    if not error.name:
        return str(error)
    command = next(iter(sys.argv[1:] if arguments is None else arguments), "")
    extra = PACKAGES.get(error.name.partition(".")[0]) or EXTRAS.get(command, "train")
    return (
        f"`voxcycle {command}` needs the extra [{extra}], whose package {error.name} is missing: "
        f"`pip install 'voxcycle[{extra}]'`, or in a clone `pip install -e '.[{extra}]'`"
    )
