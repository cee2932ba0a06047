"""Write the hashes and the sounds that `voxcycle doctor` compares an installation with.

Usage: ship_self_test.py   (after any file of weights in the package was replaced; `ship.py` and
`ship_vocoder.py` do it themselves)
"""

from voxcycle.conversion.self_test import write_self_test


def main() -> None:
    print(write_self_test())


if __name__ == "__main__":
    main()
