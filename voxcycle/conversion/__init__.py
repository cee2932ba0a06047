"""Conversion of waveforms and files."""
