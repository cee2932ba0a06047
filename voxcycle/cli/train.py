"""`voxcycle train`: voices from two folders of recordings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from voxcycle.speech.config import VoiceTrainingConfig
    from voxcycle.training.config import TrainingConfig


def list_settings(wanted: bool) -> None:
    """Print every setting that may follow as key=value, and exit."""
    if wanted:
        from voxcycle.speech.config import VoiceTrainingConfig

        print_settings(VoiceTrainingConfig)
        raise typer.Exit


def print_settings(kind: "type[TrainingConfig]") -> None:
    """Print every key of a config with its default and meaning."""
    from rich.table import Table

    from voxcycle.console import open_console
    from voxcycle.training.config import list_fields, write_value

    table = Table(box=None, pad_edge=False)
    for heading in ("key", "default", "meaning"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "key")
    for key, field in list_fields(kind).items():
        default = "needed" if field.is_required() else write_value(field.default)
        table.add_row(key, default, field.description)
    open_console(stderr=False).print(table)


def train(
    context: typer.Context,
    a: Annotated[Path, typer.Option("--a", help="Folder with recordings of speaker a.")],
    b: Annotated[Path, typer.Option("--b", help="Folder with recordings of speaker b.")],
    settings: Annotated[
        list[str] | None, typer.Argument(help="Any setting as key=value; --settings lists them.")
    ] = None,
    _: Annotated[
        bool,
        typer.Option(
            "--settings", is_eager=True, callback=list_settings, help="List all settings and exit."
        ),
    ] = False,
    name_a: Annotated[
        str | None, typer.Option(help="Name of voice a.", show_default="the folder's")
    ] = None,
    name_b: Annotated[
        str | None, typer.Option(help="Name of voice b.", show_default="the folder's")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="How long to train.", show_default="15")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Iterations, instead of minutes.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run: logs, checkpoint.", show_default="runs/A-B"),
    ] = None,
    from_scratch: Annotated[
        bool,
        typer.Option(
            "--from-scratch", help="Start from random networks instead of pretrained ones."
        ),
    ] = False,
    pretrained: Annotated[
        Path | None,
        typer.Option(help="Pretrained networks to start from.", show_default="the packaged ones"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file of settings; the command line wins.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Such as en or nl.")] = None,
    sex_a: Annotated[str | None, typer.Option("--sex-a", help="For the voice list.")] = None,
    sex_b: Annotated[str | None, typer.Option("--sex-b", help="For the voice list.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the voices.")] = None,
    consent: Annotated[
        str | None, typer.Option(help="Statement of the speakers' consent; stored in the voices.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out.")] = False,
    add: Annotated[
        bool, typer.Option("--add/--no-add", help="Add the voices to your own at the end.")
    ] = True,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace your voices of the same names.")
    ] = False,
) -> None:
    """Train two voices, one per direction, from two folders of recordings.

    Five minutes of each speaker are a good start; no transcripts, no parallel sentences. The voices
    are ready for `voxcycle convert --to NAME` at the end. Stop at any time with Ctrl-C; --resume
    continues with the same settings.

    Example: voxcycle train --a anna/ --b ben/ --minutes 15 cycle_a=5
    """
    from voxcycle.files import CONFIG_FILE
    from voxcycle.speech.config import VoiceTrainingConfig
    from voxcycle.speech.train_voice import train_voice
    from voxcycle.training.config import load_config, parse_overrides, resume_config
    from voxcycle.voices.library import add_voice, check_own_voices, list_voices

    # Options that set a field of the config have its name.
    values = {
        key: value
        for key, value in context.params.items()
        if key in VoiceTrainingConfig.model_fields and value is not None and value is not False
    }
    resolved = load_config(VoiceTrainingConfig, values | parse_overrides(settings or []), config)
    if "out" not in resolved.model_fields_set:
        folders = f"{resolved.a.absolute().name}-{resolved.b.absolute().name}"
        resolved = resolved.model_copy(update={"out": Path("runs") / folders})
    for folder in (resolved.a, resolved.b):
        if not folder.is_dir():
            raise ValueError(f"{folder}: no such folder; name a folder of recordings")
    if add:
        check_own_voices()
    own = _voices_of_this_run(resolved) if resume else set()
    is_there = resume and (resolved.out / CONFIG_FILE).is_file()
    # A run that is resumed knows its names.
    names = set((resume_config(resolved) if is_there else resolved).voice_names())
    taken = sorted((names & {voice.name for voice in list_voices()}) - own)
    if add and taken and not replace:
        raise ValueError(
            f"a voice named {taken[0]} already exists; choose other names with --name-a and "
            "--name-b, or add --replace"
        )
    trained = train_voice(resolved, resume)
    for path in trained.voices:
        if add:
            add_voice(path, overwrite=replace or path.stem in own)
        typer.echo(f"{path}: voxcycle convert recording.wav --to {path.stem if add else path}")


def _voices_of_this_run(config: "VoiceTrainingConfig") -> set[str]:
    """Return the names of the user's voices that an earlier call of this run added."""
    from voxcycle.voices.library import list_voices

    made = {path.stem: path for path in config.out.glob("*.safetensors")}
    return {
        voice.name
        for voice in list_voices()
        if voice.name in made and voice.path.read_bytes() == made[voice.name].read_bytes()
    }
