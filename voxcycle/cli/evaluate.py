"""`voxcycle evaluate`: similarity, words, naturalness and pitch of a voice."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from voxcycle.cli.options import Threads, choose_threads_and_device


def evaluate(
    voice: Annotated[
        str | None, typer.Option(help="Name or file of the voice.", show_default=False)
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(help="Recordings to convert: one folder, or one subfolder per speaker."),
    ] = None,
    target: Annotated[
        Path | None, typer.Option(help="Recordings of the voice's speaker, for similarity.")
    ] = None,
    parallel: Annotated[
        Path | None,
        typer.Option(help="The target's recordings of the same sentences, under the same names."),
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(
            help="NAME.txt for NAME.wav, of sources and target.",
            show_default="beside the recordings",
        ),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(help="Language of the recordings, such as en.", show_default="the voice's"),
    ] = None,
    target_language: Annotated[
        str | None,
        typer.Option(help="Language of the target's recordings.", show_default="the same"),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the report.")] = Path(
        "report"
    ),
    result: Annotated[
        Path | None,
        typer.Option(
            help="Result file, ID.json.", show_default="evaluation-VOICE.json in the report"
        ),
    ] = None,
    sentences: Annotated[int, typer.Option(min=1, help="Sentences per speaker.")] = 20,
    vocoder: Annotated[str, typer.Option(help="As for convert.")] = "fast",
    second_pass: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="As for convert.", show_default="the voice's own"),
    ] = None,
    asr: Annotated[
        str,
        typer.Option(
            help="base for the packaged Whisper base; a folder of a faster-whisper model, or the "
            "name of one in its own cache. Nothing is downloaded."
        ),
    ] = "base",
    threads: Threads = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Two metrics.json: print the differences only.", show_default=False),
    ] = None,
) -> None:
    """Measure a voice on recordings and write a report to look at and listen to.

    Compares the voice with the unconverted recordings, the target's own recordings, their copy
    synthesis (what the vocoder alone costs) and a plain signal-processing conversion. Needs the
    extra [eval]: in a clone, `pip install -e '.[eval]'`.

    Example: voxcycle evaluate --voice heart --source clips/ --target heart-clips/ -o report/
    """
    if compare is not None:
        from voxcycle.evaluation.report.terminal import print_comparison
        from voxcycle.evaluation.run import Evaluation

        print_comparison(*map(Evaluation.load, compare))
        return
    if voice is None or source is None:
        raise typer.BadParameter("--voice and --source are needed (or --compare A.json B.json)")
    from voxcycle.evaluation.dataset import list_sources, list_target
    from voxcycle.evaluation.metrics.asr import check_language
    from voxcycle.evaluation.optional_deps import require_metrics
    from voxcycle.evaluation.report.html_report import check_report, write_report
    from voxcycle.evaluation.report.record import check_result_path, record_evaluation, result_id
    from voxcycle.evaluation.report.terminal import evaluate_with_progress, print_evaluation
    from voxcycle.evaluation.run import describe_path
    from voxcycle.evaluation.systems import system_name
    from voxcycle.files import cache_dir
    from voxcycle.voices.library import load_voice

    choose_threads_and_device(threads)
    loaded = load_voice(voice)
    if second_pass is not None and loaded.generator.n_content:
        typer.echo("note: the voice takes phonetic features: it has no second pass", err=True)
    elif second_pass is not None:
        loaded = replace(loaded, second_pass=second_pass)
    check_report(out)
    result = result or out / f"{result_id('evaluation', loaded.card.name)}.json"
    check_result_path(result)
    source_language = check_language(language or loaded.card.language or "en")
    speakers = list_sources(
        source, source_language, texts, parallel, n_sentences=sentences, target=target
    )
    target_speaker = (
        list_target(target, target_language or source_language, texts, sentences, source=source)
        if target is not None
        else None
    )
    if target_speaker is not None and target_speaker.name in {s.name for s in speakers}:
        target_speaker = replace(target_speaker, name=f"{target_speaker.name} (target)")
    require_metrics()
    if target_speaker is None:
        typer.echo("note: without --target, similarity to the target is not measured", err=True)
    folders = {"source": source, "target": target, "parallel": parallel, "texts": texts}
    named = {kind: describe_path(path) for kind, path in folders.items() if path is not None}
    evaluation = evaluate_with_progress(
        loaded,
        speakers,
        target_speaker,
        vocoder=vocoder,
        asr=asr,
        cache_dir=cache_dir("evaluation"),
        keep_audio=True,
        inputs=named | {"sentences": sentences},
    )
    title = f"Voice {loaded.card.name} on {', '.join(s.name for s in speakers)}"
    written = write_report(out, evaluation, speakers, loaded)
    written.append(record_evaluation(result, evaluation, title))
    print_evaluation(evaluation)
    typer.echo("\n".join(map(str, written)), err=True)
    converted = [s for s in evaluation.scores if s.row == system_name(loaded)]
    if all(s.failures and s.composite in (None, 0.0) for s in converted):
        raise ValueError(f"{source}: no recording could be converted and scored; see the failures")
