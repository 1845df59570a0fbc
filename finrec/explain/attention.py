"""Attention maps of one customer: by layer and head, averaged, and rolled out."""

from __future__ import annotations

import numpy as np
import torch

from finrec.networks.behaviour import Trail
from finrec.networks.recommender import Evidence


def maps(evidence: Evidence, customer: int = 0) -> dict[str, np.ndarray]:
    """Attention by label, float32: encoder and decoder maps [T + 1, T + 1], and the rolled-out one.

    Row t is the moment before event t, columns are the tokens it looks at; token 0 is the profile.
    """
    found: dict[str, np.ndarray] = {}
    for part, layers in (("Encoder", evidence.trail.encoder), ("Decoder", evidence.trail.decoder)):
        for number, layer in enumerate(layers, start=1):
            share = layer[customer].cpu().numpy()
            for head, values in enumerate(share, start=1):
                found[f"{part} layer {number}, head {head}"] = values
            found[f"{part} layer {number}, mean of heads"] = share.mean(0)
    found["Rolled out"] = rolled_out(evidence.trail, customer)
    return found


def rolled_out(trail: Trail, customer: int = 0) -> np.ndarray:
    """Share of each token in the last state when attention is followed through all layers, [T + 1].

    Source: attention rollout, Abnar and Zuidema (2020): heads averaged, half of each layer's
    attention replaced by the identity for the residual, layers multiplied.
    """
    layers = [layer[customer].mean(0) for layer in trail.encoder]
    tokens = layers[0].shape[-1] if layers else 1
    total = torch.eye(tokens)
    for share in layers:
        total = (0.5 * share.cpu() + 0.5 * torch.eye(tokens)) @ total
    for layer in trail.decoder:
        share = layer[customer].mean(0).cpu()
        total = (0.5 * share + 0.5 * torch.eye(tokens)) @ total
    last = total[-1]
    return (last / last.sum()).numpy()
