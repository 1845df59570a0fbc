"""Customers of the demo bank: six visible attributes, hidden traits, households and referrals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from finrec.schema import CUSTOMER, KIND, SOURCE, TARGET, WEIGHT

STAGES = ("student", "starter", "family", "peak earner", "pre-retirement", "retired")
STUDENT, STARTER, FAMILY, PEAK, PRE_RETIREMENT, RETIRED = range(6)
STYLES = ("", "green", "digital", "classic", "premium")  # what appeals beyond price and risk
HOUSEHOLD, REFERRAL = "household", "referral"

# Chance that a stage ends within the 24 months, by stage.
_MOVES_ON = np.array([0.45, 0.30, 0.14, 0.14, 0.22, 0.0])

# Occupation: median gross income (EUR a year), shift of the risk appetite, weight by education
# (compulsory, vocational, secondary, bachelor, master or doctorate).
_OCCUPATIONS: dict[str, tuple[int, float, tuple[float, float, float, float, float]]] = {
    "office clerk": (38_000, 0.0, (2.0, 3.0, 3.0, 2.0, 0.5)),
    "sales": (36_000, 0.1, (3.0, 3.0, 2.5, 1.5, 0.4)),
    "tradesperson": (41_000, 0.0, (2.5, 4.5, 1.0, 0.3, 0.1)),
    "driver or warehouse worker": (32_000, -0.2, (4.0, 2.0, 1.0, 0.1, 0.0)),
    "nurse or carer": (39_000, -0.2, (0.5, 3.0, 1.5, 1.0, 0.2)),
    "teacher": (52_000, -0.3, (0.0, 0.2, 0.5, 2.0, 2.5)),
    "civil servant": (50_000, -0.5, (0.2, 1.2, 1.5, 1.8, 1.5)),
    "engineer": (66_000, 0.3, (0.0, 0.5, 0.5, 2.5, 3.0)),
    "IT specialist": (63_000, 0.6, (0.1, 0.8, 1.5, 3.0, 2.0)),
    "manager": (84_000, 0.4, (0.1, 0.6, 0.8, 1.8, 2.5)),
    "physician or lawyer": (98_000, 0.1, (0.0, 0.0, 0.0, 0.1, 3.0)),
    "self-employed": (48_000, 0.6, (1.0, 2.0, 1.5, 1.2, 1.2)),
    "homemaker": (9_000, -0.3, (1.0, 0.8, 0.6, 0.4, 0.2)),
    "unemployed": (14_000, -0.4, (1.2, 0.7, 0.6, 0.4, 0.3)),
}
_INCOME_OF = {name: row[0] for name, row in _OCCUPATIONS.items()} | {
    "student": 9_500,
    "apprentice": 13_500,
    "retired": 24_000,
}
_EDUCATION = ("compulsory", "vocational", "secondary", "bachelor", "master", "doctorate")


@dataclass(frozen=True)
class People:
    """C customers as on the first day, and what only the generator knows of them.

    Args:
        table: CUSTOMER, age, gender, income, occupation, education, marital_status.
        links: households and referrals, as in :class:`finrec.schema.Dataset`.
        stage: int [C], index into ``STAGES`` on the first day.
        moves: int [C], day on which the next stage begins; beyond the last day for most.
        joined: int [C], day of joining the bank; negative when before the first day.
        appetite: float [C], hidden risk appetite on the scale 1 to 7.
        style: int [C], hidden taste, index into ``STYLES``.
        income: float [C], EUR a year, also where the table leaves it empty.
        activity: float [C], relative number of purchases.
    """

    table: pd.DataFrame
    links: pd.DataFrame
    stage: np.ndarray
    moves: np.ndarray
    joined: np.ndarray
    appetite: np.ndarray
    style: np.ndarray
    income: np.ndarray
    activity: np.ndarray


def people(rng: np.random.Generator, n: int, days: int) -> People:
    """Draw n customers, their links and hidden traits for a window of so many days."""
    age = _ages(rng, n)
    gender = rng.choice(["female", "male", "diverse"], size=n, p=[0.502, 0.493, 0.005])
    education = _education(rng, age)
    occupation = _occupation(rng, age, education)
    marital = _marital(rng, age)
    income = _income(rng, age, gender, occupation)
    stage = _stage(rng, age, occupation, marital)
    moves = np.where(
        rng.random(n) < _MOVES_ON[stage], rng.integers(0, days, n), days + 1
    )  # one move at most in two years
    new = rng.random(n) < np.choose(stage, [0.45, 0.30, 0.18, 0.14, 0.12, 0.10])
    joined = np.where(new, rng.integers(0, days - 30, n), -rng.integers(30, 4000, n))
    shift = np.array([_OCCUPATIONS[o][1] if o in _OCCUPATIONS else 0.0 for o in occupation])
    appetite = 3.5 + 0.7 * np.log(income / 38_000) - 0.03 * (age - 44) + shift
    appetite = np.clip(appetite + rng.normal(0, 1.0, n), 1.0, 7.0)
    style = _styles(rng, age, education, income)
    ids = np.array([f"C{i:05d}" for i in range(1, n + 1)])
    links, pairs = _links(rng, ids, age, marital, occupation, stage)
    for one, other in pairs:  # people who live together grow alike
        if rng.random() < 0.5:
            style[other] = style[one]
        appetite[other] = 0.5 * (appetite[one] + appetite[other])
    activity = rng.gamma(1.3, 1.0, n) * np.choose(stage, [0.9, 1.25, 1.15, 1.05, 1.0, 0.6])
    activity *= (income / 40_000) ** 0.25
    activity *= np.where(joined > 0, 1.3 * (1 - joined / days) + 0.2, 1.0)
    shown = np.where(rng.random(n) < 0.02, np.nan, np.round(income, -2))
    table = pd.DataFrame(
        {
            CUSTOMER: ids,
            "age": age,
            "gender": gender,
            "income": shown,
            "occupation": occupation,
            "education": education,
            "marital_status": marital,
        }
    )
    return People(table, links, stage, moves, joined, appetite, style, income, activity)


def _choose(rng: np.random.Generator, labels: Sequence[str], weights: np.ndarray) -> np.ndarray:
    """One label a row, with chances in proportion to that row's weights [C, labels]."""
    total = np.cumsum(weights, axis=1)
    drawn = rng.random(len(weights)) * total[:, -1]
    return np.array(labels)[(drawn[:, None] >= total).sum(axis=1)]


def _ages(rng: np.random.Generator, n: int) -> np.ndarray:
    low = np.array([18, 25, 35, 45, 55, 65, 78])
    high = np.array([25, 35, 45, 55, 65, 78, 92])
    band = rng.choice(7, size=n, p=[0.15, 0.22, 0.19, 0.17, 0.14, 0.10, 0.03])
    return rng.integers(low[band], high[band])


def _education(rng: np.random.Generator, age: np.ndarray) -> np.ndarray:
    weights = np.tile([0.08, 0.36, 0.20, 0.19, 0.14, 0.03], (len(age), 1))
    weights[age < 22] = [0.20, 0.22, 0.56, 0.02, 0.0, 0.0]
    weights[(age >= 22) & (age < 27)] = [0.08, 0.30, 0.28, 0.26, 0.08, 0.0]
    weights[age >= 65] = [0.22, 0.42, 0.16, 0.10, 0.08, 0.02]
    return _choose(rng, _EDUCATION, weights)


def _occupation(rng: np.random.Generator, age: np.ndarray, education: np.ndarray) -> np.ndarray:
    level = np.minimum([_EDUCATION.index(e) for e in education], 4)
    chances = np.array([row[2] for row in _OCCUPATIONS.values()]).T[level]
    occupation = _choose(rng, list(_OCCUPATIONS), chances).astype("<U32")
    draw = rng.random(len(age))
    learning = draw < np.interp(age, [18, 22, 25, 29, 32], [0.9, 0.7, 0.4, 0.1, 0.0])
    vocational = np.isin(education, ["compulsory", "vocational"])
    occupation[learning & ~vocational] = "student"
    occupation[learning & vocational & (age < 25)] = "apprentice"
    occupation[draw < np.interp(age, [57, 61, 65, 68], [0.0, 0.12, 0.7, 0.97])] = "retired"
    return occupation


def _marital(rng: np.random.Generator, age: np.ndarray) -> np.ndarray:
    labels = ("single", "cohabiting", "married", "divorced", "widowed")
    at = [20, 28, 36, 48, 60, 75, 88]
    shares = (
        [0.93, 0.58, 0.28, 0.17, 0.12, 0.08, 0.06],
        [0.06, 0.25, 0.16, 0.10, 0.06, 0.03, 0.01],
        [0.01, 0.16, 0.50, 0.56, 0.58, 0.55, 0.36],
        [0.0, 0.01, 0.06, 0.16, 0.19, 0.13, 0.07],
        [0.0, 0.0, 0.0, 0.01, 0.05, 0.21, 0.50],
    )
    return _choose(rng, labels, np.stack([np.interp(age, at, s) for s in shares], axis=1))


def _income(
    rng: np.random.Generator, age: np.ndarray, gender: np.ndarray, occupation: np.ndarray
) -> np.ndarray:
    median = np.array([_INCOME_OF[o] for o in occupation], dtype=np.float64)
    working = np.isin(occupation, list(_OCCUPATIONS))
    seniority = np.where(working, np.interp(age, [20, 30, 48, 60], [0.72, 0.92, 1.18, 1.15]), 1.0)
    gap = np.where(gender == "female", 0.92, 1.0)  # real banks' data have one, too
    return np.clip(median * seniority * gap * rng.lognormal(0, 0.28, len(age)), 3_000, 400_000)


def _stage(
    rng: np.random.Generator, age: np.ndarray, occupation: np.ndarray, marital: np.ndarray
) -> np.ndarray:
    blurred = age + rng.normal(0, 2.5, len(age))
    stage = np.digitize(blurred, [20, 31, 43, 56, 68])
    settled = np.isin(marital, ["married", "cohabiting"])
    stage = np.where((stage == STARTER) & settled & (age >= 27), FAMILY, stage)
    stage = np.where((stage == FAMILY) & ~settled & (rng.random(len(age)) < 0.6), STARTER, stage)
    stage = np.where((stage == STUDENT) & (age > 20), STARTER, stage)
    stage = np.where(np.isin(occupation, ["student", "apprentice"]), STUDENT, stage)
    stage = np.where((stage == STUDENT) & (age > 32), STARTER, stage)
    return np.where(occupation == "retired", RETIRED, np.minimum(stage, PRE_RETIREMENT))


def _styles(
    rng: np.random.Generator, age: np.ndarray, education: np.ndarray, income: np.ndarray
) -> np.ndarray:
    academic = np.isin(education, ["bachelor", "master", "doctorate"])
    leaning = np.stack(
        [
            np.zeros(len(age)),
            -0.8 + 0.8 * academic - 0.01 * (age - 40),
            -0.1 - 0.05 * (age - 38),
            -0.4 + 0.05 * (age - 48),
            -1.2 + 1.5 * np.log(income / 55_000),
        ],
        axis=1,
    )
    return np.argmax(leaning + rng.gumbel(size=leaning.shape), axis=1)


def _links(
    rng: np.random.Generator,
    ids: np.ndarray,
    age: np.ndarray,
    marital: np.ndarray,
    occupation: np.ndarray,
    stage: np.ndarray,
) -> tuple[pd.DataFrame, list[tuple[int, int]]]:
    """Couples, grown children at home, and referrals between people in the same stage of life."""
    n = len(ids)
    couples = []
    for status in ("married", "cohabiting"):
        here = np.flatnonzero((marital == status) & (rng.random(n) < 0.5))
        here = here[np.argsort(age[here] + rng.normal(0, 2, len(here)), kind="stable")]
        half = len(here) // 2
        couples += list(zip(here[: 2 * half : 2], here[1 : 2 * half : 2], strict=True))
    children = np.flatnonzero((stage == STUDENT) & (age <= 24) & (rng.random(n) < 0.4))
    parents = np.flatnonzero((age >= 42) & (age <= 58) & (occupation != "student"))
    family = list(couples)
    if len(parents):
        parents = rng.choice(parents, size=len(children))
        family += list(zip(parents, children, strict=True))
    referrals = []
    for level in range(len(STAGES)):
        here = np.flatnonzero(stage == level)
        if len(here) >= 2:
            drawn = rng.choice(here, size=(len(here) // 6, 2))
            referrals += [(a, b) for a, b in drawn if a != b]
    seen: set[tuple[int, int]] = set()
    rows = []
    for kind, pairs, weight in ((HOUSEHOLD, family, 1.0), (REFERRAL, referrals, 0.5)):
        for a, b in pairs:
            key = (int(min(a, b)), int(max(a, b)))
            if key not in seen:
                seen.add(key)
                rows.append((ids[a], ids[b], kind, weight))
    links = pd.DataFrame(rows, columns=[SOURCE, TARGET, KIND, WEIGHT])
    links = links.astype({SOURCE: "str", TARGET: "str", KIND: "str", WEIGHT: "float32"})
    return links, [(int(a), int(b)) for a, b in couples]
