"""Small fixed-seed sketches of matrices, by which models are compared without reading their weights again."""
