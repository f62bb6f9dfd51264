"""Read ONNX models: the graph's initialisers as tensors, with the names they had in the exported model."""
