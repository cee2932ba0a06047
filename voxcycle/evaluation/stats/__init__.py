"""Arithmetic on scores: means, intervals, comparisons, bounds, costs."""
