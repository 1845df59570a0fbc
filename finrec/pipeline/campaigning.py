"""Planning a campaign within budgets and caps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from finrec.pipeline import answering
from finrec.pipeline.backtest import spread
from finrec.pipeline.standing import batch_size, margins, remembered, stand
from finrec.schema import CUSTOMER, NAME, PRODUCT, TIME, DataError
from finrec.serving import policy as rules
from finrec.serving.campaign import Allocation, Forecast, Limits, allocate, take_up
from finrec.serving.columns import words
from finrec.serving.gate import STATES, Rule
from finrec.serving.recommender import Recommender


@dataclass(frozen=True)
class Plan:
    """A campaign that was planned.

    Args:
        frame: customer_id, product_id, name, take_up, value, state, rules, reason, the best first.
        forecast: number of take-ups within the policy's window, with interval.
        value: expected worth of all offers.
        bound: no campaign within the limits is worth more.
        optimal: whether nothing better exists within the limits.
        considered: customers of the segment.
        reachable: of them, those whom at least one of the products may be offered.
        excluded: state, rule, sentence and number of pairs that the policy kept back.
        settings: what it was planned with.
        run: name.
        snapshot: ref.
        caveat: what to know of the forecast; empty where it is what it says.
    """

    frame: pd.DataFrame
    forecast: Forecast
    value: float
    bound: float
    optimal: bool
    considered: int
    reachable: int
    excluded: pd.DataFrame
    settings: Mapping[str, Any]
    run: str
    snapshot: str
    caveat: str = ""


def plan(
    run: str | Recommender,
    products: Sequence[str],
    customers: Sequence[str] | None = None,
    budgets: int | Mapping[str, int] = 100,
    cap: int = 1,
    total: int | None = None,
    strictest: str = "warn",
    least: Mapping[str, int] | None = None,
    least_chance: float = 0.0,
    most_share: float = 1.0,
    parity: float = 0.0,
    group: str | None = None,
    cost: Mapping[str, float] | None = None,
    money: float | None = None,
    by: str = "value",
    level: float = 0.9,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Plan:
    """Who gets which offer, so that the campaign is worth most.

    Args:
        run: name or loaded.
        products: ids on offer.
        customers: the segment; None: everybody.
        budgets: most offers of each product, one number or by id.
        cap: most offers a customer.
        total: most offers in all.
        strictest: offers up to this state of the policy; "warn" leaves out what needs advice.
        least: fewest offers of each product, by id, even where they are worth little.
        least_chance: offers less likely to be taken up are not made.
        most_share: most of all offers that one product may have (diversity).
        parity: 0 to 1, part of its fair share that each group gets at least.
        group: column of customers for ``parity``.
        cost: money that an offer of each product costs.
        money: most money in all.
        by: "value" (take-up times margin) or "take_up".
        level: of the forecast's interval.
        progress: told how many customers are scored, of how many; what it raises ends the planning.

    Raises:
        DataError: when a product or customer is unknown or the limits contradict each other.
    """
    recommender = answering.load(run) if isinstance(run, str) else run
    if not products:
        raise DataError("A campaign needs at least one product; pick one.")
    if strictest not in STATES or by not in ("value", "take_up"):
        raise DataError(f"State {strictest!r} or measure {by!r} is unknown.")
    chosen = np.array([recommender.catalogue.position(p) for p in products])
    policy, past = rules.load(), remembered()
    ids = sorted(recommender.known) if customers is None else list(customers)
    chances, values, allowed, states, excluded = [], [], [], [], list[pd.DataFrame]()
    bitten: list[tuple[tuple[Rule, ...], np.ndarray]] = []
    caveat = ""
    size = batch_size(recommender)
    for start in range(0, len(ids), size):
        at = stand(recommender, ids[start : start + size], policy, past)
        caveat = at.caveat
        chances.append(at.take_up[:, chosen])
        values.append(at.value[:, chosen])
        allowed.append(at.gate.up_to(strictest)[:, chosen])
        states.append(at.gate.state[:, chosen])
        excluded.append(_kept_back(at.gate, chosen, allowed[-1]))
        bitten.append((at.gate.rules, at.gate.bits[:, chosen]))
        progress(min(start + size, len(ids)), len(ids))
    shape = (len(ids), len(chosen))
    chance = np.concatenate(chances) if chances else np.zeros(shape)
    worth = np.concatenate(values) if values else np.zeros(shape)
    may = np.concatenate(allowed) if allowed else np.zeros(shape, bool)
    state = np.concatenate(states) if states else np.zeros(shape, np.int8)
    may &= chance >= least_chance
    number = _number(products, budgets)
    floor = None if least is None else _number(products, least)
    limits = Limits(cap, number, total, floor, most_share, parity, _cost(products, cost), money)
    measure = chance if by == "take_up" else worth
    found = allocate(measure, may, limits, _group(recommender, ids, group, parity))
    frame = _frame(recommender, ids, chosen, found, chance, worth, state)
    frame["rules"] = [
        _sentences(bitten[row // size], row % size, product)
        for row, product in zip(frame.pop("row"), frame.pop("column"), strict=True)
    ]
    stray = spread(recommender)
    settings = {
        "spread": stray, "products": list(products),
        "budgets": {p: int(n) for p, n in zip(products, number, strict=True)},
        "cap": cap, "total": total, "strictest": strictest, "least": dict(least or {}),
        "least_chance": least_chance,
        "most_share": most_share, "parity": parity, "group": group, "cost": dict(cost or {}),
        "money": money, "by": by, "window_days": policy.value.window_days,
        "currency": policy.value.currency, "policy": policy.title,
        "margins": {p: float(m) for p, m in
                    zip(products, margins(recommender, policy)[chosen], strict=True)},
        "asof": str(recommender.dataset.events[TIME].max()),
    }  # fmt: skip
    return Plan(
        frame, forecast(frame, level, stray), found.value, found.bound,
        found.optimal, len(ids), int(may.any(1).sum()), _summed(excluded), settings,
        recommender.run.id, recommender.snapshot.ref, caveat,
    )  # fmt: skip


def forecast(offers: pd.DataFrame, level: float, stray: float | None) -> Forecast:
    """How many of these offers (product_id, take_up) will be taken up."""
    chance = offers["take_up"].to_numpy(np.float64)
    return take_up(chance, level, offers[PRODUCT].to_numpy(dtype=str), stray or 0.0)


def _sentences(bitten: tuple[tuple[Rule, ...], np.ndarray], row: int, product: int) -> str:
    """Sentences of the rules that bit there, in one line."""
    rules, bits = bitten
    here = int(bits[row, product])
    return " ".join(r.sentence for i, r in enumerate(rules) if here >> i & 1)


def _number(products: Sequence[str], budgets: int | Mapping[str, int]) -> np.ndarray:
    if isinstance(budgets, int):
        return np.full(len(products), budgets, dtype=np.int64)
    return np.array([budgets.get(p, 0) for p in products], dtype=np.int64)


def _cost(products: Sequence[str], cost: Mapping[str, float] | None) -> np.ndarray | None:
    return None if cost is None else np.array([float(cost.get(p, 0.0)) for p in products])


def _group(
    recommender: Recommender, ids: Sequence[str], group: str | None, parity: float
) -> np.ndarray | None:
    if parity <= 0:
        return None
    table = recommender.dataset.customers
    if group is None or group not in table.columns:
        raise DataError(
            f"Parity needs a column of customers to group by; {group!r} is none of "
            f"{', '.join(map(str, table.columns[1:])) or 'no columns'}."
        )
    return words(table.set_index(CUSTOMER)[group].reindex(list(ids)))


def _kept_back(gate: Any, chosen: np.ndarray, allowed: np.ndarray) -> pd.DataFrame:
    """Pairs that may not be offered in this campaign, by the rule that decided."""
    rule = np.where(allowed, -1, gate.rule[:, chosen])
    counts = np.bincount(rule[rule >= 0], minlength=len(gate.rules))
    return pd.DataFrame(
        [
            {"state": r.state, "rule": r.code, "sentence": r.sentence, "pairs": int(n)}
            for r, n in zip(gate.rules, counts, strict=True)
            if n
        ],
        columns=["state", "rule", "sentence", "pairs"],
    )


def _summed(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [p for p in parts if len(p)]
    if not filled:
        return pd.DataFrame(columns=["state", "rule", "sentence", "pairs"])
    by = pd.concat(filled).groupby(["state", "rule", "sentence"])["pairs"].sum()
    every = by.reset_index()
    return every.sort_values("pairs", ascending=False).reset_index(drop=True)


def _frame(
    recommender: Recommender,
    ids: Sequence[str],
    chosen: np.ndarray,
    found: Allocation,
    chance: np.ndarray,
    worth: np.ndarray,
    state: np.ndarray,
) -> pd.DataFrame:
    table = recommender.catalogue.table.iloc[chosen]
    frame = pd.DataFrame(
        {
            CUSTOMER: pd.Series([ids[b] for b in found.rows], dtype="str"),
            PRODUCT: table[PRODUCT].to_numpy()[found.products].astype(object),
            NAME: table[NAME].to_numpy()[found.products].astype(object),
            "take_up": chance[found.rows, found.products],
            "value": worth[found.rows, found.products],
            "state": [STATES[s] for s in state[found.rows, found.products]],
            "rules": "",
            "row": found.rows,
            "column": found.products,
            "reason": _reasons(found, chance, table[NAME].to_numpy(dtype=str)),
        }
    )
    return frame.sort_values(["value", CUSTOMER], ascending=[False, True]).reset_index(drop=True)


def _reasons(found: Allocation, chance: np.ndarray, names: np.ndarray) -> list[str]:
    """How each customer's chance compares with the segment's for the same product."""
    order = np.sort(chance, axis=0)
    told = []
    for row, product in zip(found.rows, found.products, strict=True):
        below = np.searchsorted(order[:, product], chance[row, product]) / len(chance)
        share = int(100 * below)  # never rounded up: nobody is likelier than all
        told.append(f"Likelier to take {names[product]} than {share}% of the segment.")
    return told
