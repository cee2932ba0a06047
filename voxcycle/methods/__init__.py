"""One file, one paper: losses and networks joined into training phases."""
