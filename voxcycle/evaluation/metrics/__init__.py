"""Metrics of converted speech; those that are networks come with the extra `[eval]`."""
