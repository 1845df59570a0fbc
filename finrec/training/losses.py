"""Training losses over the whole catalogue, without keeping the whole logit matrix.

Shapes: S training targets of a step, N products, D width.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from finrec.networks.linear import product
from finrec.networks.trend import Common

Additions = tuple[Tensor, Tensor, Tensor]
# Rows of logits in memory at once. On a CPU they should stay in its cache: 256 x 12,101 floats are
# 12 MB, a fifth faster than 1024 rows; a GPU wants large products.
ROWS = {"cpu": 256, "cuda": 4096}


class _SoftmaxOverCatalogue(torch.autograd.Function):
    """Mean cross-entropy of ``scale * states @ products.T + bias``.

    The gradient is taken chunk by chunk in the forward pass, while the logits are at hand: three
    matrix products a chunk, no recomputation, and memory of one chunk.
    """

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        products: Tensor,
        bias: Tensor,
        targets: Tensor,
        weights: Tensor,
        smoothing: float,
        focal: float,
        rows_of: Tensor,
        columns_of: Tensor,
        added: Tensor,
        common_of: Tensor,
        common: Tensor,
    ) -> Tensor:
        count, n_products = len(states), len(products)
        chunk = ROWS.get(states.device.type, 1024)
        grad_states = torch.empty_like(states)
        grad_products = torch.zeros_like(products.T, memory_format=torch.contiguous_format).T
        grad_bias = torch.zeros_like(bias)
        total = states.new_zeros(())
        grad_added = torch.zeros_like(added)
        grad_common = torch.zeros_like(common)
        bounds = torch.searchsorted(
            rows_of, torch.arange(0, count + chunk, chunk, device=rows_of.device)
        ).tolist()
        norm = weights.sum().clamp(min=1e-12)
        for start in range(0, count, chunk):
            rows = slice(start, min(start + chunk, count))
            logits = product(states[rows], products, bias)  # [chunk, N]
            pairs = slice(*bounds[start // chunk : start // chunk + 2])
            where = (rows_of[pairs] - start, columns_of[pairs])
            if pairs.start < pairs.stop:
                logits.index_put_(where, added[pairs], accumulate=True)
            if len(common):
                logits += common[common_of[rows]]
            if smoothing:  # what every product's negative log-likelihood adds up to
                spread = logits.logsumexp(1) - logits.mean(1)
            place = logits if logits.device.type == "cpu" else None  # else a new tensor
            share = torch.softmax(logits, 1, out=place)
            picked = share.gather(1, targets[rows, None])[:, 0]
            nll = -picked.clamp(min=torch.finfo(picked.dtype).tiny).log()
            if smoothing:
                nll = (1 - smoothing) * nll + smoothing * spread
            weight = weights[rows] / norm
            if focal:  # loss (1 - p)^gamma nll; its slope in nll weighs the gradient of nll
                missed = -torch.expm1(-nll)
                total += (missed**focal * nll * weight).sum()
                slope = focal * missed.clamp(min=1e-6) ** (focal - 1) * (1 - missed) * nll
                weight = weight * (missed**focal + slope)
            else:
                total += (nll * weight).sum()
            # d nll / d logits = softmax - (1 - smoothing) one_hot - smoothing / N
            share.mul_(weight[:, None])
            if smoothing:
                share.sub_((weight * (smoothing / n_products))[:, None])
            share.scatter_add_(1, targets[rows, None], (-(1 - smoothing) * weight)[:, None])
            if pairs.start < pairs.stop:
                grad_added[pairs] = share[where]
            if len(common):
                grad_common.index_add_(0, common_of[rows], share)
            grad_states[rows] = product(share, products.T)
            grad_products.T.add_(product(states[rows].T, share.T))
            grad_bias += share.sum(0)
        ctx.save_for_backward(grad_states, grad_products, grad_bias, grad_added, grad_common)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad = grads[0]
        states, products, bias, added, common = ctx.saved_tensors
        rest = (None,) * 6
        first = (grad * states, grad * products, grad * bias)
        return *first, *rest, grad * added, None, grad * common


def softmax_over_catalogue(
    states: Tensor,
    products: Tensor,
    bias: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    smoothing: float = 0.0,
    focal: float = 0.0,
    added: Additions | None = None,
    common: Common | None = None,
) -> Tensor:
    """Weighted mean cross-entropy of the acquired product against the whole catalogue.

    Source: full softmax as in BERT4Rec and later SASRec variants; gradient in the forward pass as
    in Wijmans et al. (2024), "Cut Your Losses in Large-Vocabulary Language Models".

    Args:
        states: customer vectors, float [S, D].
        products: product vectors, float [N, D].
        bias: one a product, float [N].
        targets: index of the acquired product, int64 [S].
        weights: one a target, float [S]; None: all equal.
        smoothing: share of probability spread over the catalogue (label smoothing).
        focal: gamma of Lin et al. (2017), Eq. (4): well-foretold targets count less; 0: off. Not
            together with smoothing.
        added: row (ascending) and product of single scores, int64 [K], and what is added to
            each, float [K]; a pair stands there once.
        common: additions to whole rows of scores, many rows the same.
    """
    if focal and smoothing:
        raise ValueError("Focal loss and label smoothing exclude each other; set one to 0.")
    if weights is None:
        weights = torch.ones(len(states), dtype=states.dtype, device=states.device)
    if added is None:
        none = torch.zeros(0, dtype=torch.int64, device=states.device)
        added = (none, none, states.new_zeros(0))
    if common is None:
        common = Common(torch.zeros_like(targets[:0]), states.new_zeros(0, len(products)))
    loss: Tensor = _SoftmaxOverCatalogue.apply(  # type: ignore[no-untyped-call]
        states,
        products,
        bias,
        targets,
        weights,
        smoothing,
        focal,
        *added,
        common.of_row,
        common.values,
    )
    return loss


def softmax_of_scores(
    scores: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    smoothing: float = 0.0,
    focal: float = 0.0,
    added: Additions | None = None,
    common: Common | None = None,
) -> Tensor:
    """As :func:`softmax_over_catalogue`, for scores that are no dot product, float [S, N]."""
    if focal and smoothing:
        raise ValueError("Focal loss and label smoothing exclude each other; set one to 0.")
    if added is not None:
        scores = scores.index_put((added[0], added[1]), added[2], accumulate=True)
    if common is not None:
        scores = scores + common.values[common.of_row]
    nll = F.cross_entropy(scores, targets, reduction="none", label_smoothing=smoothing)
    if focal:
        nll = (-torch.expm1(-nll)) ** focal * nll
    if weights is None:
        return nll.mean()
    return (nll * weights).sum() / weights.sum().clamp(min=1e-12)


def sampled_softmax(
    states: Tensor,
    products: Tensor,
    bias: Tensor,
    targets: Tensor,
    negatives: int,
    weights: Tensor | None = None,
    smoothing: float = 0.0,
    focal: float = 0.0,
    added: Additions | None = None,
    common: Common | None = None,
) -> Tensor:
    """As :func:`softmax_over_catalogue`, against the step's targets and a sample of the others.

    The sample is uniform; its part of the normaliser is scaled to the whole catalogue (Jean et
    al., 2015), so that the expected normaliser is the full one's.

    Args:
        states: customer vectors, float [S, D].
        products: product vectors, float [N, D].
        bias: one a product, float [N].
        targets: index of the acquired product, int64 [S].
        negatives: products drawn besides the step's own targets.
        weights: one a target, float [S]; None: all equal.
        smoothing: as there.
        focal: as there.
        added: as there.
        common: as there.
    """
    n_products = len(products)
    own, place = targets.unique(return_inverse=True)
    others = torch.ones(n_products, dtype=torch.bool, device=targets.device)
    others[own] = False
    left = others.nonzero()[:, 0]
    drawn = left[torch.randperm(len(left), device=left.device)[:negatives]]
    chosen = torch.cat([own, drawn])
    scale = torch.zeros(len(chosen), dtype=bias.dtype, device=bias.device)
    if len(drawn):
        scale[len(own) :] = math.log(len(left) / len(drawn))
    if added is not None:
        at = torch.full((n_products,), -1, device=targets.device)
        at[chosen] = torch.arange(len(chosen), device=targets.device)
        here = at[added[1]] >= 0
        added = (added[0][here], at[added[1][here]], added[2][here])
    if common is not None:
        common = Common(common.of_row, common.values[:, chosen])
    priors = bias[chosen] + scale
    return softmax_over_catalogue(
        states, products[chosen], priors, place, weights, smoothing, focal, added, common
    )
