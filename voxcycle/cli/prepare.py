"""`voxcycle prepare`: from raw recordings to training clips."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from voxcycle.speech.prepare import Prepared


def prepare(
    folder: Annotated[Path, typer.Argument(help="Recordings of one speaker, of any length.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder of the clips.", show_default="FOLDER-clips beside it"
        ),
    ] = None,
    keep_outliers: Annotated[
        bool, typer.Option("--keep-outliers", help="Keep clips that are unlike the others.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the clips of an earlier call.")
    ] = False,
) -> None:
    """Cut recordings into training clips, and report their quality.

    Recordings are made mono and cut at their pauses into clips of up to twelve seconds. Clips that
    are too short, clipped, noisy or without a voice are dropped, and so are those that are unlike
    the rest: another speaker, music (compared from twenty clips on). What is kept is brought to one
    loudness and written as FLAC. The table, report.json and, with the extra [train], a picture
    report.png say what was kept, and why the rest was dropped.

    Example: voxcycle prepare recordings/anna -o clips/anna
    """
    from voxcycle.console import open_progress
    from voxcycle.speech.corpus import CorpusError
    from voxcycle.speech.picture import draw_report
    from voxcycle.speech.prepare import prepare_folder
    from voxcycle.speech.screening import OutlierScore, compare_clips

    name = folder.resolve().name
    out = output or folder.resolve().with_name(f"{name}-clips")
    if folder.resolve() in out.resolve().parents:
        raise CorpusError(f"{out}: lies inside {folder}; name a folder outside it with -o")
    with open_progress(in_percent=True) as bar:
        task = bar.add_task(f"cutting {name}", total=None)

        def compare(paths: Sequence[Path]) -> list[OutlierScore]:
            bar.reset(task, total=None, description=f"comparing {len(paths)} clips")
            return compare_clips(paths)

        prepared = prepare_folder(
            folder,
            out,
            overwrite=overwrite,
            advance=lambda done, total: bar.update(task, completed=done, total=total),
            compare=compare,
            keeps_outliers=keep_outliers,
        )
    _print_report(prepared)
    if several := prepared.describe_others():
        typer.echo(several)
    written = f"{out}: {len(prepared.kept)} clips, report.json"
    if importlib.util.find_spec("matplotlib"):
        draw_report(prepared, out)
        written += ", report.png"
    typer.echo(written)


def _print_report(prepared: "Prepared") -> None:
    import numpy as np
    from rich.table import Table

    from voxcycle.console import open_console

    kept = [piece.quality for piece in prepared.kept]
    low, middle, high = np.median([quality.f0_hz for quality in kept], axis=0)
    rows = [
        ("recordings", f"{prepared.minutes:.1f} min"),
        ("kept", f"{prepared.minutes_kept():.1f} min in {len(kept)} clips"),
        *(
            (f"dropped: {reason}", f"{minutes:.1f} min")
            for reason, minutes in prepared.minutes_dropped().items()
        ),
        *((f"left out: {name}", reason) for name, reason in prepared.unreadable),
        *((f"note: {name}", note) for name, note in prepared.notes),
        ("loudness", f"{np.median([q.level_db for q in kept]):.0f} dBFS"),
        ("loud over soft", f"{np.median([q.range_db for q in kept]):.0f} dB"),
        ("clipped", f"{100 * max(q.clipped_share for q in kept):.1f} % of the worst clip"),
        ("bandwidth", f"{np.median([q.bandwidth_hz for q in kept]) / 1000:.1f} kHz"),
        ("F0", f"{middle:.0f} Hz, mostly {low:.0f} to {high:.0f}"),
    ]
    table = Table(box=None, pad_edge=False, show_header=False)
    for row in rows:
        table.add_row(*row)
    open_console(stderr=False).print(table)
    for piece in sorted(prepared.outliers, key=lambda piece: -piece.outlier_score):
        typer.echo(
            f"unlike the others{'' if piece.file else ', dropped'}: {piece.source} from "
            f"{piece.start_s:.1f} s, {piece.quality.duration_s:.1f} s long"
        )
