"""Open checkpoints from the Hub, a folder or a file; one module or folder per weight format."""
