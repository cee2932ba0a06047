"""Measurement: who it sounds like, what it says, how natural it sounds, whether pitch was obeyed.

The judges (networks) come with the extra `[eval]`; everything that is arithmetic works without it.
"""
