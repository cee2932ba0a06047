"""Networks without PyTorch: ONNX graphs made from arguments and weights, run by ONNX Runtime."""
