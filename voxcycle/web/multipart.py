"""Files of a form, from the network to the disk in small pieces, within limits."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from voxcycle.web.settings import Refusal

MIN_RATE = 1000  # bytes per second, once patience has passed
MAX_FILES = 1000  # of one request
MAX_NAME = 200  # characters of a file's name
DRAINED_BYTES, DRAINED_S = 8_000_000, 2.0  # read of a refused body, so that the answer arrives


class ReceivedFile(NamedTuple):
    """A file on the disk, and the name that the client gave it."""

    path: Path
    name: str


class _Parts:
    """Turns the parser's callbacks into (what, bytes): begin, data, end."""

    def __init__(self, boundary: bytes) -> None:
        self.found: list[tuple[str, bytes]] = []
        self._field, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self.parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": self._add_field,
                "on_header_value": self._add_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._begin,
                "on_part_data": lambda data, i, j: self.found.append(("data", data[i:j])),
                "on_part_end": lambda: self.found.append(("end", b"")),
            },
        )

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def _begin(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if options.get(b"name") != b"file" or b"filename" not in options:
            raise Refusal("Send files alone, as parts named file.")
        self.found.append(("begin", options[b"filename"]))


async def receive_files(
    request: Request,
    open_file: Callable[[], Path],
    *,
    announce: Callable[[int], None],
    check: Callable[[int], None],
    patience_s: float,
) -> list[ReceivedFile]:
    """Write the files of a request to paths that `open_file` gives.

    `announce` is called with the number of bytes that a request promises, `check` with those that
    came before they are written; both raise a Refusal where they are too many. What was written of
    a refused request is removed.

    Raises:
        Refusal: the request is no form of files, was cut short, or came too slowly.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise Refusal("Send files as multipart/form-data.", 415)
    received: list[ReceivedFile] = []
    body = _paced(request, patience_s)
    try:
        announce(int(request.headers.get("content-length", 0)))  # digits: h11 has seen to it
        with contextlib.ExitStack() as stack:
            await _write_parts(
                body, _Parts(options[b"boundary"]), open_file, check, received, stack
            )
    except BaseException as error:
        for file in received:
            file.path.unlink(missing_ok=True)
        if isinstance(error, FormParserError):
            raise Refusal("The form cannot be read.") from error
        if isinstance(error, Refusal):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(_drain(body), DRAINED_S)
        raise
    if not received:
        raise Refusal("There is no file in the request.")
    return received


async def _write_parts(
    body: AsyncIterator[bytes],
    parts: _Parts,
    open_file: Callable[[], Path],
    check: Callable[[int], None],
    received: list[ReceivedFile],
    stack: contextlib.ExitStack,
) -> None:
    file: BinaryIO | None = None
    async for data in body:
        check(len(data))
        parts.parser.write(data)
        found, parts.found = parts.found, []
        for what, piece in found:
            if what == "begin":
                if len(received) == MAX_FILES:
                    raise Refusal(f"Send at most {MAX_FILES} files at once.", 413)
                received.append(ReceivedFile(open_file(), shown_name(piece)))
                file = stack.enter_context(received[-1].path.open("wb"))
            elif file is not None and what == "data":
                await run_in_threadpool(file.write, piece)
            elif file is not None:
                file.close()
                file = None
    if file is not None:
        raise Refusal("The upload was cut short; send it again.")


async def _paced(request: Request, patience_s: float) -> AsyncIterator[bytes]:
    """Yield the body; a Refusal where nothing comes for too long, or too little all the time."""
    stream, started, n_bytes = request.stream(), time.monotonic(), 0
    while True:
        try:
            data = await asyncio.wait_for(anext(stream), patience_s)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Refusal("The upload stopped half-way; send it again.", 408) from None
        n_bytes += len(data)
        spent_s = time.monotonic() - started
        if spent_s > patience_s and n_bytes < MIN_RATE * spent_s:
            raise Refusal("The upload is too slow; send it again.", 408)
        yield data


async def _drain(body: AsyncIterator[bytes]) -> None:
    n_bytes = 0
    async for data in body:
        n_bytes += len(data)
        if n_bytes > DRAINED_BYTES:
            return


def shown_name(raw: bytes) -> str:
    """Return the last part of a client's path, without what could trouble a screen or a file."""
    text = raw.decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
    clean = "".join(c for c in text if c.isprintable() and c not in '<>:"|?*').strip(" .")
    return clean[-MAX_NAME:] or "recording"
