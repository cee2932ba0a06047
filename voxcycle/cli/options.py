"""Options that several commands share, by the names of their parameters."""

from typing import Annotated

import typer

Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads of the networks.", show_default="one per core")
]
Device = Annotated[
    str,
    typer.Option(help="Where networks run: cpu, cuda, coreml or directml; auto takes the best."),
]
VocoderName = Annotated[
    str,
    typer.Option(
        help="fast; hifigan, about as natural, many times slower and less true in pitch (needs the "
        "extra [hifigan]); griffin-lim; or the path of a vocoder of your own."
    ),
]


def choose_threads_and_device(threads: int | None, device: str = "cpu") -> None:
    """Set both for this process; ValueError for a device that is not there."""
    from voxcycle.runtime.session import use_device, use_threads

    use_threads(threads or 0)
    if device != "cpu":  # else ONNX Runtime is not imported yet
        use_device(device)
