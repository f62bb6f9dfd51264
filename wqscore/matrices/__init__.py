"""Turn stored tensors into weight matrices: roles, fused projections, convolutions, experts, tied copies."""
