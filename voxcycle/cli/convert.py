"""`voxcycle convert`: recordings to another voice."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from voxcycle.cli.batch import print_choice, print_estimate, run_batch
from voxcycle.cli.options import Device, Threads, VocoderName, choose_threads_and_device

if TYPE_CHECKING:
    from voxcycle.audio.denoise import Denoise
    from voxcycle.conversion.options import Background, Pitch
    from voxcycle.conversion.work import Jobs

STREAM = "-"
BATCHES = "Many recordings"


def convert(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Audio files, folders, or lists: a Kaldi folder or wav.scp, JSON lines of Lhotse "
            "or NeMo, a table (.csv, .tsv, .parquet); - reads a file from stdin."
        ),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="Name of the voice, or a voice file; several with commas; random:SEED draws one "
            "for every speaker.",
        ),
    ],
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
    jobs: Annotated[
        str,
        typer.Option(
            help="Processes; more than one have one thread each. auto: one per core for eight "
            "recordings or more.",
            rich_help_panel=BATCHES,
        ),
    ] = "auto",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Count recordings and hours, say how long it will take, convert nothing.",
            rich_help_panel=BATCHES,
        ),
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="Convert again what failed in an earlier run.",
            rich_help_panel=BATCHES,
        ),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Hash the files of earlier runs; else their sizes and times are trusted.",
            rich_help_panel=BATCHES,
        ),
    ] = False,
    max_failures: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Stop when so many recordings have failed.",
            show_default="never",
            rich_help_panel=BATCHES,
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="Seconds that one recording may take.",
            show_default="no limit",
            rich_help_panel=BATCHES,
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            help="I/N: the I-th of N parts, for machines that share a folder of outputs.",
            show_default="all",
            rich_help_panel=BATCHES,
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Work on a Ray cluster: auto or ray://HOST:PORT joins one, local starts Ray here "
            "(needs the extra [cluster]; docs/scale.md). --jobs is the number of its cores.",
            show_default="no cluster",
            rich_help_panel=BATCHES,
        ),
    ] = None,
    threads: Threads = None,
    device: Device = "cpu",
) -> None:
    """Convert recordings to a voice.

    Without -o, src.wav becomes src.VOICE.wav beside it; with -o FOLDER, outputs keep their names.
    The output is mono. Mp3, m4a and films give a wav unless you add --format mp3, or name the
    output with -o.

    Where many recordings go to a folder, manifest.jsonl in it says what was made: the same command
    again converts what is left.
    """
    from voxcycle.console import open_console
    from voxcycle.conversion.batch import Batch
    from voxcycle.conversion.options import Options
    from voxcycle.conversion.plan import describe_passed_over, find_target
    from voxcycle.conversion.storage import to_path
    from voxcycle.conversion.work import Work

    choose_threads_and_device(threads, device)
    options = Options(
        pitch=_parse_pitch(pitch),
        output_rate=sample_rate,
        use_file_stats=file_stats,
        second_pass=second_pass,
        background=cast("Background", background),
        denoise=cast("Denoise", denoise),
    )
    work = Work(
        jobs=_parse_jobs(jobs),
        timeout_s=timeout,
        max_failures=max_failures,
        retry_failed=retry_failed,
        verifies=verify,
        shard=_parse_shard(shard),
        device=device,
        cluster=cluster,
    )
    to_stdout = output == STREAM or (output is None and sources == [STREAM])
    if (STREAM in sources or to_stdout) and len(sources) > 1:
        raise typer.BadParameter("- stands for one recording: give no other source beside it")
    if to_stdout and sys.stdout.isatty():
        raise typer.BadParameter("stdout is a terminal: send it to a file or a program, or use -o")
    if to_stdout and format not in (None, "wav"):
        raise typer.BadParameter("stdout carries wav only: use -o with a file for other formats")
    with tempfile.TemporaryDirectory(prefix="voxcycle-") as temporary:
        folder = Path(temporary)
        paths, name = [to_path(source) for source in sources], None
        if sources == [STREAM]:
            paths, name = [folder / "stdin"], "standard input"
            with paths[0].open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
        place = str(folder / "stdout.wav") if to_stdout else output
        target = find_target(paths, place, name)
        batch = Batch(
            paths,
            to,
            None if target or place is None else to_path(place),
            options=options,
            vocoder=vocoder,
            requested_format=format,
            overwrite=overwrite or to_stdout,
            target=target,
            name=name,
            work=work,
        )
        info = open_console(stderr=to_stdout)
        print_choice(info, batch)
        for sentence in describe_passed_over(paths):
            info.print(f"note: {sentence}")
        if dry_run:
            print_estimate(info, batch)
            return
        n_failed = run_batch(batch, None if to_stdout else info)
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


def _parse_jobs(text: str) -> "Jobs":
    if text == "auto":
        return "auto"
    if not text.isdecimal():
        raise typer.BadParameter(f"--jobs {text}: auto, or a number of processes is needed")
    return int(text)


def _parse_shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    index, _, count = text.partition("/")
    if not index.isdecimal() or not count.isdecimal():
        raise typer.BadParameter(f"--shard {text}: I/N is needed, such as 1/4")
    return int(index), int(count)
