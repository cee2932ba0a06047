"""Measurement of similarity, words, naturalness and pitch.

The networks come with the extra `[eval]`; metrics that are arithmetic work without it.
"""
