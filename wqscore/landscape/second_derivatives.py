"""What a forward pass needs so that its gradient can be differentiated again."""

from __future__ import annotations

from contextlib import AbstractContextManager

from torch.nn.attention import SDPBackend, sdpa_kernel


def differentiable_twice() -> AbstractContextManager[None]:
    """Compute attention step by step meanwhile: torch's fused kernels have no second derivative."""
    found: AbstractContextManager[None] = sdpa_kernel(SDPBackend.MATH)
    return found
