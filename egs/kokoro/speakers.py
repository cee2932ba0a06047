"""The fixed split of the Kokoro speakers and of what each of them says.

Roles never mix: `pool` and `wide` train domain a of the any-to-one voices, `valid` selects and
tunes, `eval` is run once per row of RESULTS.md, `pair` measures the training of a pair.
Training sentences differ between speakers; validation and evaluation sentences are the same for
everybody who says them (parallel).
"""

from typing import NamedTuple


class Role(NamedTuple):
    """What the speakers of one role say.

    Attributes:
        speakers: Kokoro voice names; the first letter is the accent, the second the sex.
        train_minutes: speech on training sentences, minutes per speaker.
        parallel: the parallel sentence lists that the speakers read as well.
    """

    speakers: tuple[str, ...]
    train_minutes: float
    parallel: tuple[str, ...]


SPLIT: dict[str, Role] = {
    "target": Role(("af_heart", "am_michael"), 9.0, ("valid", "eval")),
    "pool": Role(
        (
            *("af_alloy", "am_adam", "af_aoede", "am_echo", "bf_lily", "bm_daniel"),
            *("af_jessica", "am_onyx", "af_nicole", "am_santa", "af_river", "af_sky"),
        ),
        2.0,
        (),
    ),
    "valid": Role(("af_nova", "am_eric"), 0.0, ("valid",)),
    "eval": Role(("af_sarah", "am_puck", "bf_alice", "bm_fable"), 0.0, ("valid", "eval")),
    # A pair of its own (egs/kokoro_pair); last, so that the others keep their sentences.
    "pair": Role(("af_kore", "am_liam"), 5.5, ("valid", "eval")),
    # Voices of other languages that read English: sources unlike any of the training, to tune on.
    "foreign": Role(("ef_dora", "em_alex", "if_sara", "im_nicola"), 0.0, ("valid",)),
    # Two more targets.
    "british": Role(("bf_emma", "bm_george"), 6.0, ("valid", "eval")),
    # A wider pool, most of it voices of other languages that read English: for a trial that brought
    # no gain (docs/experiments). RESERVED has no role: these speakers stay unused.
    "wide": Role(
        (
            *("em_santa", "ff_siwis", "pf_dora", "pm_alex", "pm_santa"),
            *("hf_alpha", "hf_beta", "hm_omega", "hm_psi"),
            *("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo"),
            *("zf_xiaobei", "zf_xiaoni", "zf_xiaoxiao", "zf_xiaoyi"),
            *("zm_yunjian", "zm_yunxi", "zm_yunxia", "zm_yunyang"),
        ),
        1.0,
        (),
    ),
}

RESERVED = ("af_bella", "am_fenrir", "bf_isabella", "bm_lewis")
