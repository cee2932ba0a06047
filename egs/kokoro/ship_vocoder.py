"""Put a trained vocoder into the package as `fast` and renew the self-test.

    python egs/kokoro/ship_vocoder.py VOCODER [--breath 0.5] [--noise-spread 0.5] [--out FILE]

Breath, the share of pulses above 2 kHz that becomes bursts of noise, and the power to which the
magnitudes of the white noise's spectrum are raised are chosen on the validation speakers
(egs/real/score_vocoders.py), from candidates written to FILE.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from voxcycle.conversion.self_test import write_self_test
from voxcycle.vocoders.registry import FAST_FILE
from voxcycle.vocoders.source_filter import SourceFilter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vocoder", type=Path)
    parser.add_argument("--breath", type=float, default=0.5)
    parser.add_argument("--noise-spread", type=float, default=0.5)
    parser.add_argument("--out", type=Path, default=FAST_FILE)
    args = parser.parse_args()
    trained = SourceFilter.load(args.vocoder)
    chosen = {"breath": args.breath, "noise_spread": args.noise_spread}
    arguments = trained.network.arguments | chosen
    network = replace(trained.network, arguments=arguments)
    replace(trained, network=network).save(args.out, trained.about)
    if args.out == FAST_FILE:
        write_self_test()
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
