"""The command line: one file per command; each parses, calls and prints.

Heavy modules are imported inside the commands, so that `voxcycle --help` is quick.
"""

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
from voxcycle.console import errors_in_one_sentence

EXTRAS = {
    "evaluate": "eval",
    "images": "images",
    "serve": "web",
}  # of commands; all others need that to train
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
    with errors_in_one_sentence():
        try:
            app(args=arguments)
        except ModuleNotFoundError as error:
            raise ImportError(_describe_missing(error, arguments)) from error


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
