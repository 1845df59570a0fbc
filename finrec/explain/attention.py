"""Attention of one customer: by layer and head, averaged, rolled out; what each head is worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from finrec.explain.single import one_offer
from finrec.features import sequences
from finrec.networks.behaviour import Trail
from finrec.networks.evidence import Evidence
from finrec.schema import NAME, TIME
from finrec.scorer import Cohort
from finrec.training.fused_scorer import FusedScorer

EARLIER, OTHERS = "earlier", "other products"


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


def grouped(shares: np.ndarray, events: pd.DataFrame, by: str = "product") -> pd.DataFrame:
    """Shares of a long history, summed by product or by year: group, events, share; most first.

    Args:
        shares: float [T + 1] (a rolled-out map, or the last row of another); token 0 is the
            profile.
        events: the T events read, as in an explanation.
        by: ``product`` or ``year``.
    """
    names = events[NAME] if by == "product" else events[TIME].dt.year.astype(str)
    frame = pd.DataFrame({"group": names.to_numpy(dtype=object), "share": shares[1:]})
    found = frame.groupby("group")["share"].agg(["size", "sum"]).reset_index()
    found.columns = ["group", "events", "share"]
    profile = pd.DataFrame({"group": ["profile"], "events": [0], "share": [float(shares[0])]})
    joined = pd.concat([profile, found], ignore_index=True)
    return joined.sort_values("share", ascending=False, ignore_index=True, kind="stable")


def condensed(
    values: np.ndarray, events: pd.DataFrame, by: str, most: int = 20
) -> tuple[np.ndarray, pd.DataFrame]:
    """A map over events made one over products or months, so that a long history can be seen.

    What a group gets is summed, where several events of a group stand the mean is taken; a row adds
    up to the same as before.

    Args:
        values: float [T + 1, T + 1] or [T + 1]; token 0 is the profile.
        events: the T events read, as in an explanation.
        by: ``product`` or ``month``.
        most: groups; of more months the latest and of more products those looked at most at the
            end stay by themselves, the others are one group.

    Returns:
        float [G + 1, G + 1] or [G + 1], the profile first, and the groups: group, events, first and
        last day, others (all that are not by themselves, before the rest); months in order,
        products by their last event.
    """
    days = pd.to_datetime(events[TIME]).reset_index(drop=True)
    if by == "month":
        group = pd.Series(days.dt.strftime("%b %Y").to_numpy(dtype=object))
    else:
        group = pd.Series(events[NAME].to_numpy(dtype=object))
    last = values if values.ndim == 1 else values[-1]
    looked = pd.DataFrame({"group": group, "share": last[1:], "day": days})
    weight = looked.groupby("group").agg(share=("share", "sum"), day=("day", "max"))
    if len(weight) > most:
        order = weight["day" if by == "month" else "share"].sort_values(kind="stable").index
        others = EARLIER if by == "month" else OTHERS
        group = group.where(group.isin(order[-(most - 1) :]), others)
    found = pd.DataFrame({"group": group, "day": days})
    table = found.groupby("group").agg(
        events=("day", "size"), first=("day", "min"), last=("day", "max")
    )
    table = table.sort_values(["last", "first"], kind="stable").reset_index()
    table["others"] = table["group"].isin([EARLIER, OTHERS]) & (len(weight) > most)
    table = table.sort_values("others", ascending=False, kind="stable", ignore_index=True)
    place = dict(zip(table["group"], range(1, len(table) + 1), strict=True))
    member = np.zeros((len(last), len(table) + 1), dtype=values.dtype)  # [T + 1, G + 1]
    member[np.arange(len(last)), [0, *(place[g] for g in group)]] = 1
    summed = values @ member
    if values.ndim == 2:
        summed = (member / member.sum(0)).T @ summed
    return summed, table


@torch.inference_mode()
def heads(
    scorer: FusedScorer, customer: Cohort, product: int, table: Tensor | None = None
) -> pd.DataFrame:
    """How much the score falls when one head is silenced: part, layer, head, effect.

    Measured, not read off the attention: what the head passes on is set to zero and the network
    is asked again. Source: head ablation as in Michel et al. (2019).
    """
    single = one_offer(scorer, product, table)
    encoded = sequences.encode(customer, scorer.given.customers)
    batch = sequences.batch(encoded, np.array([0]), scorer.length).to(single.table.device)
    behaviour: Any = scorer.network.eval().behaviour
    layers = [("Encoder", i, layer.attention) for i, layer in enumerate(behaviour.encoder, 1)]
    layers += [("Decoder", i, layer.cross) for i, layer in enumerate(behaviour.decoder, 1)]
    whole = float(single.smooth(batch)[0])
    rows = []
    for part, number, attend in layers:
        for head in range(attend.heads):
            silenced = attend.output.register_forward_pre_hook(_silence(head, attend.heads))
            try:
                effect = whole - float(single.smooth(batch)[0])
            finally:
                silenced.remove()
            rows.append({"part": part, "layer": number, "head": head + 1, "effect": effect})
    return pd.DataFrame(rows, columns=["part", "layer", "head", "effect"])


def _silence(head: int, heads: int) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor]]:
    """A hook that sets one head's columns of what goes into the output map to zero."""

    def hook(_: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor]:
        mixed = given[0].clone()
        width = mixed.shape[-1] // heads
        mixed[..., head * width : (head + 1) * width] = 0.0
        return (mixed,)

    return hook
