"""Where tensors come from: the Hub, a folder or a file, and one module per weight format."""
