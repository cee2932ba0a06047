"""Make more speakers of those there are: played slower they are larger, played faster smaller.

Usage: change_speed.py FOLDERS. Writes FOLDERS/speeds/<speaker>-<speed>/*.flac for every speaker of
FOLDERS/targets, as link.py makes them; what is there already stays. A generator that has heard few
speakers knows each by heart, and others badly. Ko et al., "Audio augmentation for speech
recognition" (2015).
"""

import sys
from pathlib import Path

import soundfile

from voxcycle.audio.resample import resample
from voxcycle.console import late_progress
from voxcycle.files import replacing

SPEEDS = (0.87, 1.15)  # two and a half semitones, and as much of the formants


def change_speed(source: Path, target: Path, speed: float) -> None:
    """Write a recording as it sounds when it is played at another speed."""
    waveform, rate = soundfile.read(source, dtype="float32")
    changed = resample(waveform, round(rate * speed), rate)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as partial:
        soundfile.write(partial, changed, rate, format="FLAC")


def main() -> None:
    folders = Path(sys.argv[1])
    jobs = [
        (path, folders / "speeds" / f"{speaker.name}-{speed:g}" / path.name, speed)
        for speaker in sorted((folders / "targets").iterdir())
        for path in sorted(speaker.glob("*.flac"))
        for speed in SPEEDS
    ]
    with late_progress("speeds", len(jobs)) as advance:
        for source, target, speed in jobs:
            if not target.exists():
                change_speed(source, target, speed)
            advance()


if __name__ == "__main__":
    main()
