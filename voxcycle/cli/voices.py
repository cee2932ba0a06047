"""`voxcycle voices`: list, show, add and remove voices."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

MAX_LISTED = 5  # longer parts of a training are only counted
SCORES = {"secs_target": ("SECS", 3), "wer": ("WER", 3), "distillmos": ("MOS", 2)}  # decimals

voices_app = typer.Typer(invoke_without_command=True)


@voices_app.callback()
def voices(context: typer.Context) -> None:
    """List all voices, or show, add or remove one."""
    if context.invoked_subcommand is not None:
        return
    from rich.table import Column, Table
    from rich.text import Text

    from voxcycle.console import open_console, to_line
    from voxcycle.voices.library import list_voices
    from voxcycle.voices.voice import NOT_STATED

    found = list_voices()
    if not found:
        typer.echo(
            "no voices are installed: train one with `voxcycle train`, or add a file with "
            "`voxcycle voices add FILE`"
        )
        return
    headings = ("name", "language", "sex", "licence", "converts", "size")
    columns = [Column(heading, no_wrap=True) for heading, _ in SCORES.values()]
    table = Table(*headings, *columns, box=None, pad_edge=False)
    console = open_console(stderr=False)
    for voice in found:
        if voice.error:
            console.print(f"{voice.name}: {voice.error}")
            continue
        cells = (
            voice.name,
            voice.language or NOT_STATED,
            voice.sex or NOT_STATED,
            voice.licence or NOT_STATED,
            "anyone" if voice.is_any_to_one else voice.source or "one speaker",
            f"{voice.n_bytes / 1e6:.1f} MB",
            *(_print_score(voice.scores.get(key), n) for key, (_, n) in SCORES.items()),
        )
        table.add_row(*(Text(to_line(cell)) for cell in cells))
    console.print(table)
    console.print(
        "SECS: similarity to the speaker (1 is identical); WER: words lost; MOS: naturalness, 1 to "
        "5, by DistillMOS; all through the vocoder HiFi-GAN"
    )


@voices_app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of a voice, or a voice file.")],
    everything: Annotated[
        bool, typer.Option("--all", help="Every setting, loss and speaker of the training, too.")
    ] = False,
) -> None:
    """Show the card of a voice: provenance, training and measured scores."""
    from voxcycle.artifacts import VOICE, building, read_header
    from voxcycle.console import open_console
    from voxcycle.voices.library import find_voice

    path = find_voice(name)
    header, console = read_header(path, VOICE), open_console(stderr=False)
    with building(path, VOICE):
        _print_header(console, header, everything)
    console.print(f"file: {path} ({path.stat().st_size / 1e6:.1f} MB)")


@voices_app.command()
def add(
    file: Annotated[Path, typer.Argument(help="A voice file.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another voice of that name.")
    ] = False,
) -> None:
    """Add a voice file to your own voices."""
    from voxcycle.console import open_console
    from voxcycle.voices.library import add_voice, own_voices_dir

    path = add_voice(file, overwrite)
    is_own = path.parent == own_voices_dir()  # else the same as a shipped one
    open_console(stderr=False).print(
        f"{'added as' if is_own else 'shipped already as'} {path.stem}: {path}"
    )


@voices_app.command()
def remove(name: Annotated[str, typer.Argument(help="Name of a voice of your own.")]) -> None:
    """Delete one of your own voices."""
    from voxcycle.console import open_console
    from voxcycle.voices.library import remove_voice

    open_console(stderr=False).print(f"removed {remove_voice(name)}")


def _print_header(console: "Console", header: dict[str, Any], everything: bool) -> None:
    """Print what a voice file says of itself."""
    from voxcycle.audio.f0 import FORMER_TRACKER
    from voxcycle.voices.voice import NOT_STATED

    for field, value in header["card"].items():
        if field == "source":  # said below
            continue
        if isinstance(value, dict) and value:
            console.print(f"{field}:")
            is_long = field == "training" and not everything
            _print_values(console, value, n_listed=MAX_LISTED if is_long else None)
        else:
            console.print(f"{field}: {value or NOT_STATED}")
    converts = header["card"].get("source") or "the one speaker it was trained on"
    console.print(f"converts: {'anyone' if header['is_any_to_one'] else converts}")
    if header["generator"].get("n_content"):
        console.print("input: phonetic features")
    else:
        second_pass = header.get("second_pass", header.get("strength", 0.0))
        console.print("input: mels, as in older files")
        console.print(f"second pass: {second_pass:g}")
    console.print(f"F0 of its statistics: {header.get('f0_tracker', FORMER_TRACKER)}")
    console.print(f"format: {header['format_version']}")


def _print_score(value: Any, decimals: int) -> str:
    return f"{value:.{decimals}f}" if isinstance(value, int | float) else ""


def _print_values(
    console: "Console", values: dict[str, Any], indent: str = "  ", n_listed: int | None = None
) -> None:
    """Print a value a line, those of a dictionary indented; of more than `n_listed` the number."""
    for key, value in values.items():
        if isinstance(value, dict | list) and n_listed is not None and len(value) > n_listed:
            console.print(f"{indent}{key}: {len(value)} values (--all lists them)")
        elif isinstance(value, dict):
            console.print(f"{indent}{key}:")
            _print_values(console, value, indent + "  ", n_listed)
        else:
            text = f"{value:.4g}" if isinstance(value, float) else str(value)
            console.print(f"{indent}{key}: {text}")
