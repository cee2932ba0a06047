"""The page of `voxcycle serve` and its JSON API: a small local server around the same functions."""
