"""Real speakers of Debian packages: four to evaluate on, and one to train vocoders on."""

import re
from typing import NamedTuple


class RealSpeaker(NamedTuple):
    """Where a speaker's clips are.

    Attributes:
        folder: under the unpacked packages.
        pattern: what the path of a clip in that folder matches, extension included.
        gain: brings the loudest clips under full scale.
        n_clips: for evaluation: half are scored, half are references.
        train_s: seconds of other clips to train on.
    """

    folder: str
    pattern: re.Pattern[str]
    gain: float = 1.0
    n_clips: int = 40
    train_s: float = 300.0


# Root folder only: digits, letters, phonetic alphabets and silences lie in folders of their own.
_PROMPT = re.compile(r"(?!tt-|beep|.*tone|.*silence)[^/]+\.g722")

SPEAKERS = {
    "allison": RealSpeaker("usr/share/asterisk/sounds/en_US_f_Allison", _PROMPT),
    "carlo": RealSpeaker("usr/share/asterisk/sounds/it_IT_m_Carlo", _PROMPT),
    # The game's actors: 7-9 % of the files decode to peaks above full scale.
    "dutch_woman": RealSpeaker(
        "usr/share/games/fillets-ng/sound", re.compile(r".*/nl/[^/]*-m-[^/]*\.ogg"), 0.5
    ),
    "dutch_man": RealSpeaker(
        "usr/share/games/fillets-ng/sound", re.compile(r".*/nl/[^/]*-v-[^/]*\.ogg"), 0.5
    ),
    # The one whose licence lets weights that ship learn from her (CC-BY): never evaluated on.
    "russian_woman": RealSpeaker(
        "usr/share/asterisk/sounds/ru_RU_f_IvrvoiceRU", _PROMPT, n_clips=0, train_s=3600.0
    ),
}
