"""`voxcycle export`: a voice as ONNX graphs for programs in other languages."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxcycle.cli.options import Threads, choose_threads_and_device

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

VERIFY = "verify"
SECONDS = 10  # of a recording that are compared


def export(
    voice: Annotated[
        str, typer.Argument(help="Name of a voice, or a voice file; or the word verify.")
    ],
    folder: Annotated[
        Path | None, typer.Argument(help="With verify: a folder that export wrote.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder to write.", show_default="VOICE-onnx"),
    ] = None,
    vocoder: Annotated[
        str, typer.Option(help="fast, or a file of recipes/train_vocoder.py.")
    ] = "fast",
    int8: Annotated[
        bool, typer.Option("--int8", help="Weights of eight bits: half the size, less exact.")
    ] = False,
    recording: Annotated[
        Path | None, typer.Option(help="With verify: speech on which to compare.")
    ] = None,
    voice_file: Annotated[
        Path | None,
        typer.Option(
            "--voice", help="With verify: the voice's file.", show_default="the installed voice"
        ),
    ] = None,
    threads: Threads = None,
) -> None:
    """Write a voice as ONNX graphs, tables, voice.json and a README; or verify such a folder.

    The graphs run in ONNX Runtime from C++, Rust, Swift, Kotlin or JavaScript. Verify prints how
    far they are from the voice on a recording and, with the extra [eval], what that changes in
    similarity, words and naturalness.

    Example: voxcycle export heart -o heart-onnx

    Then: voxcycle export verify heart-onnx --recording talk.wav
    """
    choose_threads_and_device(threads)
    if voice == VERIFY:
        if folder is None or recording is None:
            raise typer.BadParameter("verify needs the folder of an export, and --recording")
        _verify(folder, recording, voice_file)
        return
    if folder is not None or recording is not None or voice_file is not None:
        raise typer.BadParameter(
            "name the folder to write with -o; --recording and --voice are for verify"
        )
    from voxcycle.conversion.export import export_voice, load_exportable
    from voxcycle.voices.library import load_voice

    loaded = load_voice(voice)
    out = output or Path(f"{loaded.card.name}-onnx")
    export_voice(loaded, load_exportable(vocoder, loaded.spec), out, is_int8=int8)
    n_bytes = sum(path.stat().st_size for path in out.iterdir())
    typer.echo(f"{out}: {n_bytes / 1e6:.1f} MB; README.md says how to use it")


def _verify(folder: Path, recording: Path, voice_file: Path | None) -> None:
    from voxcycle.conversion.export import verify_export
    from voxcycle.evaluation.optional_deps import has_metrics

    found = verify_export(folder, recording, SECONDS, voice_file)
    for each in found.differences:
        much = f"largest difference {each.largest:.2g}, {each.relative_db:.0f} dB"
        typer.echo(f"{each.name}: {much if each.largest else 'identical'}")
    if has_metrics():
        _print_scores(found.own, found.exported, found.sample_rate)
    else:
        typer.echo("similarity, words and naturalness need the extra [eval]", err=True)


def _print_scores(own: "NDArray[float32]", exported: "NDArray[float32]", rate: int) -> None:
    """Print what judges hear of a difference between two waveforms (T,)."""
    from voxcycle.audio.resample import resample
    from voxcycle.evaluation.metrics.asr import (
        DEFAULT_MODEL,
        WhisperTranscriber,
        find_model,
        word_errors,
    )
    from voxcycle.evaluation.metrics.naturalness import DistillMOS
    from voxcycle.evaluation.metrics.similarity import ResemblyzerEmbedder, cosine
    from voxcycle.evaluation.optional_deps import METRIC_RATE

    pair = [resample(waveform, rate, METRIC_RATE) for waveform in (own, exported)]
    embed, judge = ResemblyzerEmbedder().embed, DistillMOS()
    transcriber = WhisperTranscriber(find_model(DEFAULT_MODEL))
    heard = [transcriber.transcribe(waveform, "en") for waveform in pair]
    before, after = (judge.score(waveform) for waveform in pair)
    typer.echo(f"similarity of both outputs (SECS): {cosine(embed(pair[0]), embed(pair[1])):.3f}")
    typer.echo(f"words that differ: {word_errors(heard[0], heard[1]).rate:.3f}")
    typer.echo(f"naturalness (DistillMOS): {before:.2f} -> {after:.2f}")
