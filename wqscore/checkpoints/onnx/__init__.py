"""ONNX models: the initialisers of the graph as tensors, named as the model that was exported names them."""
