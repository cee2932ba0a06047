"""What an evaluation leaves behind: the report, result files and the page made from them."""
