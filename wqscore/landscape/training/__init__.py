"""In training: metrics logged every N steps, rates and decays by layer, and norms as penalties."""
