"""Networks only: plain keyword arguments in, tensors out."""
