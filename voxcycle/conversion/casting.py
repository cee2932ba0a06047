"""Who gets which voice: one, several, or one of all by chance, the same for all of a speaker."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from voxcycle.conversion.lists.utterance import Utterance
from voxcycle.conversion.plan import Role, to_file_name
from voxcycle.voices.library import find_voice, list_voices, names_file
from voxcycle.voices.voice import Voice, VoiceError

RANDOM = "random:"


def find_voices(to: str | Path) -> dict[str, Path]:
    """Return the files of the voices that `--to` names, by the names on their cards.

    Args:
        to: a name or file; several names with commas; or "random:SEED" for all voices that convert
            anybody.

    Raises:
        VoiceError: there is no such voice, or two of them have one name.
        ArtifactError: a file is damaged.
    """
    text = str(to)
    if text.startswith(RANDOM):
        files = [own.path for own in list_voices() if own.is_any_to_one and not own.error]
        if not files:
            raise VoiceError(f"{text}: no voice that converts anybody is installed")
    elif isinstance(to, Path) or names_file(text) or "," not in text:
        files = [find_voice(to)]
    else:
        files = [find_voice(name.strip()) for name in text.split(",") if name.strip()]
    found: dict[str, Path] = {}
    for path in files:
        name = Voice.load(path).card.name
        if found.setdefault(name, path) != path:
            raise VoiceError(f"{path}: named {name} as {found[name]} is; rename one of them")
    return found


def cast_voices(
    utterances: Iterable[Utterance], to: str | Path, names: list[str], out_dir: Path | None
) -> list[Role]:
    """Return which utterance gets which voice, ordered by voice.

    Several voices have a folder each in `out_dir`. With "random:SEED" every speaker has one voice,
    a function of the seed and the speaker's name alone.
    """
    if str(to).startswith(RANDOM):
        seed = str(to).removeprefix(RANDOM)
        roles = [Role(u, draw_voice(u.speaker or u.id, seed, names), out_dir) for u in utterances]
        return sorted(roles, key=lambda role: role.voice)
    folders = {name: out_dir / to_file_name(name) if out_dir else None for name in names}
    if len(names) == 1:
        folders = dict.fromkeys(names, out_dir)
    utterances = list(utterances)
    return [Role(own, name, folders[name]) for name in names for own in utterances]


def draw_voice(speaker: str, seed: str, names: list[str]) -> str:
    """Return one of the names, by a hash of the speaker and the seed."""
    digest = hashlib.sha256(f"{seed}\n{speaker}".encode("utf-8", "surrogateescape")).digest()
    return sorted(names)[int.from_bytes(digest[:8], "big") % len(names)]
