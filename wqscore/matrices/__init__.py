"""From stored tensors to weight matrices: roles, fused projections, convolutions, experts, tied copies."""
