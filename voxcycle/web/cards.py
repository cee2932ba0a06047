"""What a client says of a voice that it makes: name, sex, language, licence and consent."""

from collections.abc import Mapping
from typing import Any

from voxcycle.web.fields import take_text
from voxcycle.web.settings import Refusal
from voxcycle.web.voices import check_free

MAX_SHORT = 40  # characters of sex, language and the like


def take_card(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the facts of a new voice; Refusal where the name is taken, or consent is missing."""
    name = take_text(body, "name")
    check_free(name)
    card = {"name": name}
    for field in ("language", "sex", "licence"):
        card[field] = take_short(body, field)
    card["consent"] = take_text(body, "consent", "")
    if not card["consent"]:
        raise Refusal("consent: say in one sentence that the speaker agreed to this voice.")
    return card


def take_short(body: Mapping[str, Any], field: str) -> str:
    """Return a short text, "" where it is not stated."""
    text = take_text(body, field, "")
    if len(text) > MAX_SHORT:
        raise Refusal(f"{field}: at most {MAX_SHORT} letters.")
    return text
