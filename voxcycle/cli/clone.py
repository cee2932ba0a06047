"""`voxcycle clone`: a voice without training."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from voxcycle.cli.options import Threads, choose_threads_and_device


def clone(
    folder: Annotated[Path, typer.Argument(help="Recordings of one speaker, or a single one.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the voice.", show_default="the folder's or file's")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write the voice to this file instead of adding it."),
    ] = None,
    language: Annotated[str | None, typer.Option(help="Such as en or nl.")] = None,
    sex: Annotated[str | None, typer.Option(help="For the voice list.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the voice.")] = None,
    consent: Annotated[
        str | None, typer.Option(help="Statement of the speaker's consent; stored in the voice.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace your voice of the same name.")
    ] = False,
    threads: Threads = None,
) -> None:
    """Make a voice from recordings of one speaker, without training.

    Half a minute of clean speech is enough, five minutes are better. The pretrained networks, which
    know many speakers, are adapted to the statistics of this one. The result is nearer to
    the speaker than to the source, but not identical; a trained pair (voxcycle train) is closer.

    Example: voxcycle clone recordings/ben && voxcycle convert talk.wav --to ben
    """
    from voxcycle.audio.output import check_target
    from voxcycle.speech.clone import clone_voice
    from voxcycle.voices.library import add_voice, check_own_voices, list_voices
    from voxcycle.voices.voice import VoiceCard

    choose_threads_and_device(threads)
    card = VoiceCard(
        name or (folder.stem if folder.is_file() else folder.absolute().name),
        language=language or "",
        sex=sex or "",
        licence=licence or "",
        consent=consent or "",
    )
    if output is not None:
        if output.exists() and not replace:
            raise ValueError(f"{output}: already exists; remove it, or add --replace")
        check_target(output)
        path = clone_voice(folder, card, output)
        typer.echo(f"{path}: voxcycle convert recording.wav --to {path}")
        return
    check_own_voices()
    if not replace and card.name in {voice.name for voice in list_voices()}:
        raise ValueError(
            f"a voice named {card.name} already exists; choose another name with --name, or add "
            "--replace"
        )
    with tempfile.TemporaryDirectory(prefix="voxcycle-") as temporary:
        made = clone_voice(folder, card, Path(temporary) / "voice.safetensors")
        path = add_voice(made, overwrite=replace)
    typer.echo(f"{path}: voxcycle convert recording.wav --to {card.name}")
