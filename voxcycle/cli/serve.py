"""`voxcycle serve`: the page in a browser, and its API for programs."""

import contextlib
import secrets
import threading
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from voxcycle.cli.options import Device, Threads, choose_threads_and_device


def serve(
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. 0.0.0.0 lets other machines in, with the token that is "
            "printed at the start."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port; the next free one where it is taken.")
    ] = 7860,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where uploads, jobs and trainings are kept.", show_default="your data"),
    ] = None,
    quota: Annotated[
        float, typer.Option(min=0.01, help="GB of uploads and conversions that are kept.")
    ] = 2.0,
    keep: Annotated[
        float, typer.Option(min=0.1, help="Hours after which uploads and conversions are deleted.")
    ] = 24.0,
    tls: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="CERT KEY",
            help="Files of a certificate and its key: the page by https. Browsers give other "
            "machines no microphone without it.",
            show_default=False,
        ),
    ] = None,
    threads: Threads = None,
    device: Device = "cpu",
) -> None:
    """Open a page to convert, listen, make voices and measure them.

    Only this machine reaches it, nothing leaves it, and Ctrl-C ends it. Programs use the same
    functions as JSON under /api (docs/serve.md).

    Example: voxcycle serve

    From a phone in your network: voxcycle serve --host 0.0.0.0 --tls cert.pem key.pem
    """
    from voxcycle.web.security import is_loopback, names_of_this_machine
    from voxcycle.web.server import build_server, listen
    from voxcycle.web.settings import Limits, Settings, default_folder

    choose_threads_and_device(threads, device)
    for file in tls or ():
        if not file.is_file():
            raise ValueError(f"{file}: no such file; --tls needs a certificate and its key")
    is_local = is_loopback(host)
    settings = Settings(
        folder=folder or default_folder(),
        limits=Limits(quota_bytes=round(quota * 1e9), life_hours=keep),
        token="" if is_local else secrets.token_urlsafe(24),
        hosts=frozenset() if is_local else names_of_this_machine() | {host.lower()},
        is_secure=tls is not None,
    )
    bound = listen(host, port)
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    address = f"{'https' if tls else 'http'}://{shown}:{bound.getsockname()[1]}/"
    if settings.token:
        address += f"?token={settings.token}"

    def announce() -> None:
        typer.echo(f"the page is at {address} (Ctrl-C ends it)")
        if shown != host and settings.token:
            typer.echo(f"other machines open it with the address of this one in place of {shown}")
        if browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    server = build_server(settings, certificate=tls, on_ready=announce)
    with contextlib.suppress(KeyboardInterrupt):  # which uvicorn raises again at its end
        server.run([bound])
    typer.echo("stopped")
