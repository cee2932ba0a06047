"""`clone_voice`: a voice of somebody without any training, the base bound to the recordings."""

import datetime
import tempfile
from pathlib import Path

from platformdirs import user_cache_dir
from rich.console import Console

from voxcycle.audio.perturb import WARPS
from voxcycle.speech.config import SHARPNESS
from voxcycle.speech.corpus import scan_folder
from voxcycle.speech.crops import build_speaker
from voxcycle.speech.domains import prepare
from voxcycle.speech.features import cache_features
from voxcycle.voices.formant_postfilter import sharpen
from voxcycle.voices.pretrained import PRETRAINED_FILE, Pretrained
from voxcycle.voices.voice import Voice, VoiceCard, check_voice_name

MIN_SPEECH_S = 20.0


def clone_voice(
    folder: Path,
    card: VoiceCard,
    path: Path,
    base_path: Path = PRETRAINED_FILE,
    prepares: bool = True,
) -> Path:
    """Write an any-to-one voice of the speaker of a folder.

    The generator of the base is told a speaker by statistics alone: how loud which band is and how
    much it varies, where the pitch lies. Trained on a pair it comes nearer to its speakers.

    Args:
        folder: recordings of one speaker, twenty seconds of speech at least.
        card: name and provenance.
        path: the voice file.
        base_path: of `recipes/train_pretrained.py`.
        prepares: cut and screen the recordings first, as `voxcycle prepare` does.

    Raises:
        CorpusError: there is too little usable speech.
        ValueError: the name cannot be a file's, or the base is none.
    """
    check_voice_name(card.name)
    base = Pretrained.load(base_path)
    console = Console(stderr=True, markup=False, highlight=False)
    with tempfile.TemporaryDirectory(prefix="voxcycle-") as temporary:
        clips = folder
        if prepares:
            clips = prepare(folder, Path(temporary) / "clips", MIN_SPEECH_S, console)
        corpus = scan_folder(clips, MIN_SPEECH_S)
        cache_dir = Path(user_cache_dir("voxcycle")) / "features"
        paths = [clip.path for clip in corpus.clips]
        features = cache_features(paths, base.spec, cache_dir, WARPS[:1])
        stats = build_speaker(card.name, features, base.spec).stats[0]
    sharpness = 0.0 if base.generator.has_skip else SHARPNESS
    summary = {
        "steps": 0,
        "base": base.about,
        "config": {"sharpness": sharpness},
        "minutes_of_speech": {card.name: round(corpus.duration_s / 60, 2)},
        "date": datetime.date.today().isoformat(),
    }
    generator = base.bind(stats).generator
    if sharpness:
        generator = sharpen(generator, stats, sharpness)
    generator.eval().requires_grad_(False)
    told = VoiceCard(**vars(card) | {"training": summary})
    Voice(told, base.spec, base.reference, stats, True, generator).save(path)
    return path
