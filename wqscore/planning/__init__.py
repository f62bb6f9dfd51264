"""What scoring would take: tensors, work and peak memory, from headers alone."""
