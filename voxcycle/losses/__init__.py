"""Loss functions: unweighted scalars."""
