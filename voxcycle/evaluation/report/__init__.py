"""What evaluations leave behind: report folders, result files and the page made from them."""
