"""Does a vocoder sing the F0 that it is asked for? Conversions at shifts of up to an octave.

    python egs/real/pitch_requests.py RECORDING... --voice heart michael --vocoder fast hifigan

Every recording (of a folder: all of its FLAC files) is converted to every voice at every shift, and
the output's F0 is compared with the request, frame by frame. A row per vocoder and shift:

rmse             root mean square, in semitones, of errors below five
gross            share of the larger errors among frames that are voiced in both
voicing_errors   share of all frames that are voiced in the request or in the output alone

Frames whose request is held at a limit of the excitation, 60 or 700 Hz, do not count.
"""

import argparse
import itertools
import json
import time
from collections import defaultdict
from pathlib import Path

from record import record

import voxcycle
from voxcycle.audio.f0 import F0_MAX_HZ, F0_MIN_HZ, extract_f0
from voxcycle.audio.mixdown import load_mono
from voxcycle.console import late_progress
from voxcycle.evaluation.metrics.pitch import PitchErrors, compare_f0
from voxcycle.runtime.session import use_threads
from voxcycle.vocoders.registry import load_vocoder

SHIFTS = (-12, -8, -4, 0, 4, 8, 12)
SPEC = voxcycle.MelSpec()


def summarise(errors: list[PitchErrors]) -> dict[str, float]:
    """Return the figures of several conversions, pooled over their frames."""
    pooled = PitchErrors(*(sum(numbers) for numbers in zip(*errors, strict=True)))
    figures = {
        "rmse": pooled.rmse_semitones,
        "gross": pooled.gross_rate,
        "voicing_errors": pooled.voicing_error_rate,
    }
    return {name: round(value, 4) for name, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recordings", nargs="+", type=Path, help="files or folders of FLAC files")
    parser.add_argument("--voice", nargs="+", required=True, help="names or files")
    parser.add_argument("--vocoder", nargs="+", default=["fast"], help="names or files")
    parser.add_argument("--shifts", nargs="+", type=int, default=SHIFTS, help="in semitones")
    parser.add_argument("--result", help="ID of the result file to write under results/")
    args = parser.parse_args()
    use_threads(1)
    started = time.monotonic()
    paths = [
        path
        for given in args.recordings
        for path in (sorted(given.glob("*.flac")) if given.is_dir() else [given])
    ]
    voices = [voxcycle.load_voice(name) for name in args.voice]
    vocoders = {name: load_vocoder(name, SPEC) for name in args.vocoder}
    errors: dict[tuple[str, int], list[PitchErrors]] = defaultdict(list)
    cases = list(itertools.product(paths, voices, vocoders, args.shifts))
    with late_progress("conversions", len(cases)) as advance:
        for path, voice, name, shift in cases:
            result = voxcycle.convert(
                load_mono(path, SPEC.sample_rate),
                to=voice,
                sample_rate=SPEC.sample_rate,
                pitch=shift,
                vocoder=vocoders[name],
            )
            found = extract_f0(result.waveform, SPEC)
            wanted = result.f0_hz[: len(found)]
            is_free = (wanted != F0_MIN_HZ) & (wanted != F0_MAX_HZ)
            errors[name, shift].append(compare_f0(wanted[is_free], found[is_free]))
            advance()
    rows = [{"row": name, "shift": shift, **summarise(of)} for (name, shift), of in errors.items()]
    for row in rows:
        print(json.dumps(row))
    if args.result:
        record(
            args.result,
            f"F0 of conversions to {', '.join(args.voice)} against the request, by shift",
            rows=rows,
            recordings=paths,
            started=started,
        )


if __name__ == "__main__":
    main()
