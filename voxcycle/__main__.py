"""`python -m voxcycle`."""

from voxcycle.cli import main

main()
