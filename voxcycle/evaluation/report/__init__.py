"""Outputs of an evaluation: the report, result files and the pages made from them."""
