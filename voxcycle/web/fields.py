"""What a client's JSON holds, checked field by field; every problem is one sentence."""

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from voxcycle.web.settings import Refusal

MAX_BODY, MAX_BODY_S = 1_000_000, 30.0  # bytes, seconds
MAX_TEXT = 2_000  # characters of a field
MAX_UPLOADS = 1_000  # of one job


async def read_body(request: Request) -> dict[str, Any]:
    """Read a JSON object; Refusal where it is none, or too large."""
    data = bytearray()
    try:
        async with asyncio.timeout(MAX_BODY_S):
            async for piece in request.stream():
                data += piece
                if len(data) > MAX_BODY:
                    raise Refusal("The request is too large.", 413)
    except TimeoutError:
        raise Refusal("The request came too slowly.", 408) from None
    try:
        body = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        raise Refusal("The request is no JSON.") from None
    if not isinstance(body, dict):
        raise Refusal("The request must be a JSON object.")
    return body


def take_text(body: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return a text without spaces around it; it is needed unless there is a default."""
    value = body.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or (default is None and not value.strip()):
        raise Refusal(f"{name}: a text is needed.")
    if len(value) > MAX_TEXT or not all(c.isprintable() or c == "\n" for c in value):
        raise Refusal(f"{name}: the text is too long, or holds signs that cannot be shown.")
    return value.strip()


def take_number(
    body: Mapping[str, Any], name: str, least: float, most: float, default: float | None = None
) -> float | None:
    """Return a number within its range, or the default where it is null or absent."""
    value = body.get(name)
    if value is None:
        return default
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not least <= value <= most:
        raise Refusal(f"{name}: a number from {least:g} to {most:g} is needed.")
    return float(value)


def take_choice(body: Mapping[str, Any], name: str, known: list[str], default: str) -> str:
    """Return one of the known texts."""
    value = body.get(name)
    if value is None:
        return default
    if value not in known:
        raise Refusal(f"{name}: one of {', '.join(known)} is needed.")
    return str(value)


def take_ids(body: Mapping[str, Any], name: str, least: int = 1) -> list[str]:
    """Return ids of uploads, each once, in their order."""
    value = body.get(name)
    if value is None and least == 0:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Refusal(f"{name}: a list of the ids of recordings is needed.")
    ids = list(dict.fromkeys(value))
    if not least <= len(ids) <= MAX_UPLOADS:
        raise Refusal(f"{name}: {least} to {MAX_UPLOADS} recordings are needed.")
    return ids
