"""`voxcycle evaluate`: who it sounds like, what it says, how natural it is."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    voice: Annotated[
        str | None, typer.Option(help="Name or file of the voice.", show_default=False)
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(help="Recordings to convert: a folder, or one folder per speaker."),
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
            help="NAME.txt for NAME.wav, sources' and target's.", show_default="beside recordings"
        ),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Of the recordings, such as en.", show_default="the voice's")
    ] = None,
    target_language: Annotated[
        str | None, typer.Option(help="Of the target's recordings.", show_default="the same")
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the report.")] = Path(
        "report"
    ),
    sentences: Annotated[int, typer.Option(min=1, help="Sentences per speaker.")] = 20,
    vocoder: Annotated[str, typer.Option(help="As for convert.")] = "hifigan",
    second_pass: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="As for convert.", show_default="the voice's own"),
    ] = None,
    asr: Annotated[
        str | None,
        typer.Option(
            help="Folder of a faster-whisper model, or its name if faster-whisper's own cache "
            "holds it; nothing is fetched.",
            show_default="Whisper tiny, English",
        ),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Two metrics.json: print what differs, and leave.", show_default=False),
    ] = None,
) -> None:
    """Measure a voice on recordings and write a report to look at and listen to.

    Beside the voice stand the unconverted recordings, the target's own recordings, their copy
    synthesis (what the vocoder alone costs) and a plain signal-processing conversion. Needs the
    extra [eval]: in a clone, `pip install -e '.[eval]'`.

    Example: voxcycle evaluate --voice heart --source clips/ --target heart-clips/ -o report/
    """
    if compare is not None:
        _compare(*compare)
        return
    if voice is None or source is None:
        raise typer.BadParameter("--voice and --source are needed (or --compare A.json B.json)")
    from voxcycle.evaluation.dataset import list_sources, list_target
    from voxcycle.evaluation.metrics.asr import check_language
    from voxcycle.evaluation.optional_deps import require_metrics
    from voxcycle.evaluation.report.report_files import check_report, write_report
    from voxcycle.evaluation.report.terminal import evaluate_with_progress, print_evaluation
    from voxcycle.evaluation.run import default_cache_dir, describe_path
    from voxcycle.evaluation.systems import system_name
    from voxcycle.voices.library import load_voice

    loaded = load_voice(voice)
    if second_pass is not None:
        loaded = replace(loaded, second_pass=second_pass)
    check_report(out)
    spoken = check_language(language or loaded.card.language or "en")
    speakers = list_sources(source, spoken, texts, parallel, n_sentences=sentences, target=target)
    heard = (
        list_target(target, target_language or spoken, texts, sentences, source=source)
        if target is not None
        else None
    )
    if heard is not None and heard.name in {speaker.name for speaker in speakers}:
        heard = replace(heard, name=f"{heard.name} (target)")
    require_metrics()
    if spoken != "en" and asr is None:
        typer.echo(
            f"note: the packaged recogniser knows English only: words of '{spoken}' count where "
            "there is a text and it follows the recording; --asr takes another model",
            err=True,
        )
    if heard is None:
        typer.echo("note: without --target no similarity to the target is measured", err=True)
    folders = {"source": source, "target": target, "parallel": parallel, "texts": texts}
    named = {kind: describe_path(path) for kind, path in folders.items() if path is not None}
    evaluation = evaluate_with_progress(
        loaded,
        speakers,
        heard,
        vocoder=vocoder,
        asr=asr,
        cache_dir=default_cache_dir(),
        keep_audio=True,
        inputs=named | {"sentences": sentences},
    )
    written = write_report(out, evaluation, speakers, loaded)
    print_evaluation(evaluation)
    typer.echo("\n".join(map(str, written)), err=True)
    converted = [s for s in evaluation.scores if s.row == system_name(loaded)]
    if all(s.failures and s.composite in (None, 0.0) for s in converted):
        raise ValueError(f"{source}: no recording could be converted and scored; see the failures")


def _compare(first: Path, second: Path) -> None:
    from voxcycle.evaluation.report.terminal import print_comparison
    from voxcycle.evaluation.run import Evaluation

    print_comparison(Evaluation.load(first), Evaluation.load(second))
