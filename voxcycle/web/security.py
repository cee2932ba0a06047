"""Who may ask: Host, Origin, token and CSRF of every request, and the headers of every answer.

A page of another site must not drive this server. Its requests name that site (Origin, or
Sec-Fetch-Site), or, after DNS rebinding, that site's name as Host; writes need a value that only
our own page and programs on this machine can read.
"""

import http.cookies
import ipaddress
import json
import re
import secrets
import socket
from collections.abc import Iterable
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voxcycle.web.settings import Refusal, Settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
COOKIE = "voxcycle-token"
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?")
CSP = (
    "default-src 'none'; script-src 'self'; worker-src 'self' blob:; style-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; "
    "frame-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# A report of our own making: scripts and styles in the page, an origin of its own.
REPORT_CSP = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src 'self' data:; media-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "SAMEORIGIN",
    "permissions-policy": "microphone=(self), camera=(), geolocation=(), usb=(), payment=()",
    "cache-control": "no-store",
    "content-security-policy": CSP,
}


class Security:
    """ASGI middleware: refuses what another site could have sent, and hardens the answers."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request or WebSocket, and pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = _collect(scope["headers"])
        try:
            self._check(scope, headers)
        except Refusal as refusal:
            await _refuse(scope, receive, send, refusal)
            return
        if self._brings_token(scope):
            cookie = f"{COOKIE}={self.settings.token}; Path=/; HttpOnly; SameSite=Lax"
            cookie += "; Secure" * self.settings.is_secure
            await _answer(send, 303, b"", {"location": "/", "set-cookie": cookie})
            return
        await self.app(scope, receive, _hardened(send, scope["path"]))

    def _check(self, scope: Scope, headers: dict[str, list[str]]) -> None:
        host = self._check_host(headers)
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        for origin in headers.get("origin", []):
            if origin.lower() != f"{scheme}://{host}":
                raise Refusal("Requests from other sites are refused.", 403)
        is_opened = headers.get("sec-fetch-mode") == ["navigate"] and scope["path"] == "/"
        is_foreign = headers.get("sec-fetch-site", ["none"]) not in (["none"], ["same-origin"])
        is_write = scope["type"] == "http" and scope["method"] not in SAFE_METHODS
        if is_foreign and (is_write or not is_opened):
            raise Refusal("Requests from other sites are refused.", 403)
        has_token = self._brings_token(scope) or self._has_token(headers)
        if self.settings.token and not has_token:
            raise Refusal("Open the address that was printed at the start, with its token.", 401)
        if is_write and not _equals_one(headers.get("x-csrf-token", []), self.settings.csrf):
            raise Refusal("The page is out of date: load it again. (X-CSRF-Token is wrong.)", 403)
        if "content-encoding" in headers:
            raise Refusal("Send the body as it is, without Content-Encoding.", 415)

    def _check_host(self, headers: dict[str, list[str]]) -> str:
        """Return the Host header; Refusal where it names another machine."""
        named = headers.get("host", [])
        host = named[0].lower() if len(named) == 1 else ""
        match = HOST.fullmatch(host)
        if match is None or not self._is_ours(match[1]):
            raise Refusal("This server does not answer to that host name.", 421)
        return host

    def _is_ours(self, name: str) -> bool:
        if is_loopback(name):
            return True
        if not self.settings.token:
            return False
        return name in self.settings.hosts or _is_address(name)

    def _has_token(self, headers: dict[str, list[str]]) -> bool:
        given = [
            text.partition(" ")[2].strip()
            for text in headers.get("authorization", [])
            if text.lower().startswith("bearer ")
        ]
        for line in headers.get("cookie", []):
            jar: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
            try:
                jar.load(line)
            except http.cookies.CookieError:
                continue
            given += [jar[COOKIE].value] if COOKIE in jar else []
        return _equals_one(given, self.settings.token)

    def _brings_token(self, scope: Scope) -> bool:
        """Return whether the page is opened with the token in its address."""
        if not self.settings.token or scope["type"] != "http" or scope["path"] != "/":
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        return scope["method"] == "GET" and _equals_one(given, self.settings.token)


def names_of_this_machine() -> frozenset[str]:
    """Return the names by which a network may know this machine."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return frozenset({name, short, f"{short}.local"}) - {""}


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _equals_one(given: Iterable[str], secret: str) -> bool:
    """Return whether one of the values is the secret, in a time that does not tell of it."""
    return any(secrets.compare_digest(text.encode(), secret.encode()) for text in given)


def _collect(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in raw:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return headers


def _hardened(send: Send, path: str) -> Send:
    """Return a `send` that adds the headers which an answer lacks."""
    kept = {"cache-control": "no-cache"} if path.startswith("/static/") else {}  # asked for again

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            more = [
                (k.encode(), v.encode())
                for k, v in (HEADERS | kept).items()
                if k.encode() not in present
            ]
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return wrapped


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> None:
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        await send({"type": "websocket.close", "code": 4403, "reason": refusal.sentence})
        return
    body = json.dumps({"error": refusal.sentence}).encode()
    kind = {"content-type": "application/json", "connection": "close"}
    await _answer(send, refusal.status, body, kind)


async def _answer(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    named = HEADERS | headers | {"content-length": str(len(body))}
    pairs = [(key.encode(), value.encode()) for key, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
