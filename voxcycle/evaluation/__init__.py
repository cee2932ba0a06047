"""Measurement: who it sounds like, what it says, how natural it sounds, whether pitch was obeyed.

The networks come with the extra `[eval]`; metrics that are arithmetic work without it.
"""
