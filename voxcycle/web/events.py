"""Server-sent events: what changed, for every open page; slow readers get the latest alone."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

HEARTBEAT_S = 15.0


class Subscriber:
    """One reader: for each kind and job the latest change is kept, so its memory is bounded."""

    def __init__(self) -> None:
        self.pending: dict[tuple[str, str], str] = {}
        self.wakes = asyncio.Event()

    def put(self, kind: str, key: str, data: str) -> None:
        """Note a change; an older one of the same key is replaced."""
        self.pending[kind, key] = data
        self.wakes.set()

    async def take(self, timeout_s: float) -> dict[tuple[str, str], str]:
        """Return the changes since the last call, none after `timeout_s`."""
        if not self.wakes.is_set():
            try:
                await asyncio.wait_for(self.wakes.wait(), timeout_s)
            except TimeoutError:
                return {}
        self.wakes.clear()
        taken, self.pending = self.pending, {}
        return taken


class Events:
    """Tells subscribers what changed; `publish` may be called in any thread."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.is_closed = False

    def open(self) -> None:
        """Begin, in the loop of the server."""
        self._loop = asyncio.get_running_loop()

    def publish(self, kind: str, data: Any, key: str = "") -> None:
        """Send a change to every subscriber."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        text = json.dumps(data)
        try:
            loop.call_soon_threadsafe(self._put, kind, key, text)
        except RuntimeError:  # the loop was closed in between
            return

    def _put(self, kind: str, key: str, text: str) -> None:
        for subscriber in self._subscribers:
            subscriber.put(kind, key, text)

    def close(self) -> None:
        """End all streams: the server stops."""
        self.is_closed = True
        for subscriber in self._subscribers:
            subscriber.wakes.set()

    def subscribe(self) -> Subscriber:
        """Return a new subscriber, to be given to `leave` at the end."""
        subscriber = Subscriber()
        self._subscribers.add(subscriber)
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a subscriber."""
        self._subscribers.discard(subscriber)

    async def stream(self) -> AsyncIterator[str]:
        """Yield the events of a response until the server stops or the reader leaves."""
        subscriber = self.subscribe()
        try:
            yield "retry: 2000\n\n"
            while not self.is_closed:
                changes = await subscriber.take(HEARTBEAT_S)
                if not changes:
                    yield ": still here\n\n"
                for (kind, _), text in changes.items():
                    yield f"event: {kind}\ndata: {text}\n\n"
        finally:
            self.leave(subscriber)
