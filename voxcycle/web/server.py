"""The server process: a free port, uvicorn with patience of its own, and an orderly end."""

import asyncio
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from voxcycle.web.app import create_app
from voxcycle.web.service import Service
from voxcycle.web.settings import Settings

PORTS_TRIED = 50
HEADER_S = 20.0  # for the head of a request to arrive
MAX_HEAD = 16_384  # bytes of a request's head
MAX_CONNECTIONS = 200
CLOSING_S = 5  # for answers under way, when the server ends


class PatientProtocol(H11Protocol):
    """HTTP that closes connections on which the head of a request does not arrive in time."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; they prolong nothing until a head is whole."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        self._watch()

    def _waits(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _watch(self) -> None:
        if not self._waits():
            self._forget()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_S, self._give_up)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._waits():
            self.transport.close()


class Server(uvicorn.Server):
    """uvicorn that ends streams of events when it stops, and says when it listens."""

    def __init__(
        self, config: uvicorn.Config, service: Service, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self.service, self._on_ready = service, on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what would go on for ever, then the rest."""
        self.service.events.close()
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to a port, or to the next free one.

    OSError, one sentence, where the address is not of this machine, or no port is free.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last = min(port + PORTS_TRIED, 65_536)
    for number in range(port, last) if port else [0]:
        # With its protocol named, asyncio sends answers at once (TCP_NODELAY), 40 ms earlier.
        opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if sys.platform != "win32":  # where it would let two servers share a port
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind((host.strip("[]"), number))
            opened.listen()  # with an address alone, two servers could hold one port
        except OSError as error:
            opened.close()
            if isinstance(error, socket.gaierror) or error.errno not in _TAKEN:
                reason = error.strerror or str(error)
                raise OSError(f"{host}:{number}: cannot be listened on ({reason})") from error
            continue
        return opened
    raise OSError(f"ports {port} to {last - 1} are taken; name another with --port")


_TAKEN = frozenset({98, 48, 10_048, 13, 10_013})  # EADDRINUSE and EACCES of Linux, macOS, Windows


def build_server(
    settings: Settings,
    *,
    certificate: tuple[Path, Path] | None = None,
    on_ready: Callable[[], None] = lambda: None,
) -> Server:
    """Return a server whose `run` takes bound sockets and ends with Ctrl-C or a signal.

    Args:
        settings: see `Settings`.
        certificate: files of a certificate and of its key, for TLS.
        on_ready: called once when requests are answered.

    Raises:
        OSError: the folder cannot be used, or a file of the certificate cannot be.
    """
    service = Service(settings)
    config = uvicorn.Config(
        create_app(service),
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        date_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=CLOSING_S,
        limit_concurrency=MAX_CONNECTIONS,
        h11_max_incomplete_event_size=MAX_HEAD,
        ssl_certfile=str(certificate[0]) if certificate else None,
        ssl_keyfile=str(certificate[1]) if certificate else None,
    )
    try:
        config.load()
    except ssl.SSLError as error:
        assert certificate is not None
        raise OSError(
            f"{certificate[0]}, {certificate[1]}: no certificate with its key ({error.reason}); "
            "both are PEM files, and the key has no password"
        ) from error
    return Server(config, service, on_ready)
