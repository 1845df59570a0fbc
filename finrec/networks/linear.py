"""Matrix products on a CPU through oneDNN, where that is faster than the library torch calls.

On processors with AVX-512 that are not Intel's, torch's own products run at half the speed that
the processor has: MKL takes a narrower path there. oneDNN, which is part of torch, takes the wide
one. Both are products of float32 numbers and equally exact. Measured on an AMD EPYC of 2025, one
thread, 10^9 operations a second: 75 to 100 by torch, 180 to 240 by oneDNN.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST = 2**23  # multiplications; below, preparing oneDNN's kernel for a new shape costs more
STEP = 256  # rows are filled up to a multiple of it where shapes vary: each shape needs a kernel


def _available() -> bool:
    wide = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return wide and torch.backends.mkldnn.is_available() and hasattr(
        torch.ops.mkldnn, "_linear_pointwise"
    )  # fmt: skip


AVAILABLE = _available()


def _worth(x: Tensor, weight: Tensor) -> bool:
    return (
        AVAILABLE
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and x.numel() * len(weight) >= LEAST
    )


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x @ weight.T + bias`` without a gradient: [S, I], [O, I], [O] -> [S, O].

    Both may be views; a transposed ``x`` is copied, a transposed ``weight`` is not.
    """
    if not _worth(x, weight):
        return F.linear(x, weight, bias)
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


class _Product(torch.autograd.Function):
    """:func:`product` with its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return product(x, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        grad = grads[0].contiguous()
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            product(grad, weight.T) if of_x else None,
            _of_weight(grad, x) if of_weight else None,
            grad.sum(0) if of_bias else None,
        )


def _of_weight(grad: Tensor, x: Tensor) -> Tensor:
    """``grad.T @ x``, [O, I]; the smaller of the two is copied."""
    if grad.shape[1] <= x.shape[1]:
        return product(grad.T, x.T)
    return product(x.T, grad.T).T


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """As :func:`torch.nn.functional.linear`, by whichever library is faster; [..., I] -> [..., O].

    A gradient of the gradient can't be taken.
    """
    if not _worth(x, weight):
        return F.linear(x, weight, bias)
    flat = x.reshape(-1, x.shape[-1])
    needed = torch.is_grad_enabled() and any(
        t is not None and t.requires_grad for t in (x, weight, bias)
    )
    out = _Product.apply(flat, weight, bias) if needed else product(flat, weight, bias)
    return out.view(*x.shape[:-1], len(weight))


class Linear(nn.Linear):
    """As :class:`torch.nn.Linear`, same weights by the same names, through :func:`linear`."""

    def forward(self, input: Tensor) -> Tensor:
        """[..., I] -> [..., O]."""
        return linear(input, self.weight, self.bias)
