"""Voices: the file format, and where voices are found."""
