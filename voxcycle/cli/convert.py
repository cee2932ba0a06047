"""`voxcycle convert`: recordings to another voice."""

import functools
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from voxcycle.cli.options import Device, Threads, VocoderName, choose_threads_and_device

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from voxcycle.audio.denoise import Denoise
    from voxcycle.conversion.batch import FileResult
    from voxcycle.conversion.options import Background, Pitch
    from voxcycle.conversion.plan import PlannedFile
    from voxcycle.voices.voice import Voice

STREAM = "-"


def convert(
    sources: Annotated[
        list[str], typer.Argument(help="Audio files or folders; - reads a file from stdin.")
    ],
    to: Annotated[str, typer.Option("--to", help="Name of the voice, or a voice file.")],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            help="A file, a folder (needed for folders), or - for wav on stdout.",
            show_default="src.VOICE.wav beside the source",
        ),
    ] = None,
    pitch: Annotated[
        str,
        typer.Option(
            help="auto, keep, sing (all intervals kept), or semitones relative to auto such as +2 "
            "or -1.5."
        ),
    ] = "auto",
    vocoder: VocoderName = "fast",
    sample_rate: Annotated[
        int | None, typer.Option(help="Hz of the output.", show_default="the input's")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            help="wav, flac, ogg, opus, aiff, mp3; with ffmpeg m4a, mp4, mov, mkv, webm.",
            show_default="the input's",
        ),
    ] = None,
    file_stats: Annotated[
        bool,
        typer.Option(
            "--file-stats",
            help="For a voice of a pair and another speaker than it was trained for: take the "
            "range of pitch from this recording.",
        ),
    ] = False,
    second_pass: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Blend in a second conversion that removes more of the source speaker and costs "
            "some of the words (0 = off, 1 = full). Only for voices of older files, which say "
            "`input: mels` in `voxcycle voices show`.",
            show_default="the voice's own",
        ),
    ] = None,
    background: Annotated[
        str, typer.Option(help="remove makes pauses quiet; keep leaves the input's sound in them.")
    ] = "remove",
    denoise: Annotated[
        str,
        typer.Option(
            help="Remove noise first: auto does where it is less than 16 dB below the speech, "
            "on always, off never."
        ),
    ] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes, each of one thread.")] = 1,
    threads: Threads = None,
    device: Device = "cpu",
) -> None:
    """Convert recordings to a voice.

    Without -o, src.wav becomes src.VOICE.wav beside it; with -o FOLDER, outputs keep their names.
    The output is mono. An mp3 gives a wav unless you add --format mp3.
    """
    from voxcycle.console import open_console
    from voxcycle.conversion.batch import load_pair, run_plan
    from voxcycle.conversion.options import Options
    from voxcycle.conversion.plan import describe_passed_over, plan_outputs
    from voxcycle.voices.library import find_voice

    choose_threads_and_device(threads, device)
    options = Options(
        pitch=_parse_pitch(pitch),
        output_rate=sample_rate,
        use_file_stats=file_stats,
        second_pass=second_pass,
        background=cast("Background", background),
        denoise=cast("Denoise", denoise),
    )
    to_stdout = output == STREAM or (output is None and sources == [STREAM])
    if (STREAM in sources or to_stdout) and len(sources) > 1:
        raise typer.BadParameter("- stands for one recording: give no other source beside it")
    if to_stdout and sys.stdout.isatty():
        raise typer.BadParameter("stdout is a terminal: send it to a file or a program, or use -o")
    if to_stdout and format not in (None, "wav"):
        raise typer.BadParameter("stdout carries wav only: use -o with a file for other formats")
    voice_path = find_voice(to)
    voice, loaded_vocoder = load_pair(voice_path, vocoder)
    info = open_console(stderr=to_stdout)
    _print_choice(info, voice, loaded_vocoder.name)
    with tempfile.TemporaryDirectory(prefix="voxcycle-") as temporary:
        folder = Path(temporary)
        paths, name = [Path(source) for source in sources], None
        if sources == [STREAM]:
            paths, name = [folder / "stdin"], "standard input"
            with paths[0].open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
        plan = plan_outputs(
            paths,
            str(folder / "stdout.wav") if to_stdout else output,
            voice.card.name,
            requested_format=format,
            overwrite=overwrite or to_stdout,
            name=name,
        )
        for sentence in describe_passed_over(paths):
            info.print(f"note: {sentence}")
        work = functools.partial(
            run_plan,
            plan,
            voice_path=voice_path,
            vocoder=vocoder,
            options=options,
            jobs=jobs,
            device=device,
        )
        n_failed = _run(plan, work, None if to_stdout else info)
        if to_stdout and not n_failed:
            with (folder / "stdout.wav").open("rb") as written:
                shutil.copyfileobj(written, sys.stdout.buffer)
            sys.stdout.buffer.flush()
    if n_failed:
        raise typer.Exit(2)


def _parse_pitch(text: str) -> "Pitch":
    if text in ("auto", "keep", "sing"):
        return cast("Pitch", text)
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(
            f"--pitch {text}: auto, keep, sing or a number of semitones is needed"
        ) from None


def _run(
    plan: "list[PlannedFile]",
    work: "Callable[..., Iterator[tuple[int, FileResult]]]",
    info: "Console | None",
) -> int:
    """Convert with a progress bar on stderr, which a pipe does not get; return how many failed.

    Each output is printed to `info`, and each note and error to stderr, when its file is done.
    """
    from voxcycle.console import open_progress

    shares = {id(planned): 0.0 for planned in plan}
    n_failed = 0
    with open_progress(in_percent=True) as bar:
        errors = bar.console
        task = bar.add_task("converting", total=len(plan))

        def report(planned: "PlannedFile", share: float) -> None:
            shares[id(planned)] = share
            shown = planned.name or planned.source.name
            bar.update(task, completed=sum(shares.values()), description=shown)

        for index, result in work(progress=report):
            n_failed += result.error is not None
            name = plan[index].name or str(result.source)
            for note in result.notes:
                errors.print(f"note: {name}: {note}")
            if result.error:
                errors.print(f"error: {result.error}")
            elif info:
                # On a terminal the line goes above the bar, by the bar's console.
                console = errors if sys.stderr.isatty() and sys.stdout.isatty() else info
                console.print(f"{name} -> {result.output}")
    if n_failed and len(plan) > 1:
        errors.print(f"{len(plan) - n_failed} of {len(plan)} files were converted")
    return n_failed


def _print_choice(info: "Console", voice: "Voice", vocoder_name: str) -> None:
    card = voice.card
    whom = f" (for recordings of {card.source})" if card.source else ""
    info.print(f"voice {card.name}{whom}, vocoder {vocoder_name}")
    missing = [field for field in ("licence", "consent") if not getattr(card, field)]
    if missing:
        info.print(f"the voice {card.name}: {' and '.join(missing)} not stated")
