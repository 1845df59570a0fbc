"""What moves the customers of the demo bank, as tables over segments of the product catalogue.

A segment is the generator's own finer product type ("deposit_short"); no data set shows it. All
numbers are log-odds: 0.7 doubles a chance, -0.7 halves it.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

FIRST_DAY = date(2023, 1, 1)
DAYS = 731  # 2023-01-01 to 2024-12-31

# Appeal of a segment in each stage of life: student, starter, family, peak earner,
# pre-retirement, retired.
STAGE_APPEAL: dict[str, tuple[float, float, float, float, float, float]] = {
    "account": (-0.5, 0.6, -0.3, -0.8, -1.2, -1.0),
    "youth_account": (2.0, 0.3, -3.0, -4.0, -5.0, -5.0),
    "premium_account": (-4.0, -0.8, 0.0, 1.1, 0.8, 0.0),
    "debit": (1.2, 0.6, 0.0, -0.6, -0.8, -0.8),
    "travel_card": (0.9, 1.2, -0.3, 0.0, 0.2, 0.0),
    "premium_card": (-3.5, -0.3, 0.2, 1.2, 0.6, -0.4),
    "instant": (1.0, 0.8, 0.2, -0.3, -0.2, 0.4),
    "notice": (-2.0, -0.4, 0.0, 0.7, 0.9, 1.3),
    "child_savings": (-4.0, -1.5, 2.0, -0.5, -0.8, 0.8),
    "home_savings": (-1.5, 1.3, 1.2, -0.5, -1.5, -3.0),
    "deposit_short": (-2.5, -0.6, -0.6, 0.3, 0.9, 1.4),
    "deposit_mid": (-2.5, -0.8, -0.5, 0.5, 1.1, 1.4),
    "deposit_long": (-4.0, -1.8, -0.8, 0.4, 1.4, 1.4),
    "bond_safe": (-3.5, -1.5, -0.6, 0.6, 1.3, 1.3),
    "bond_corp": (-3.5, -0.8, -0.3, 1.0, 1.1, 0.3),
    "fund_plan": (0.9, 1.5, 0.9, 0.2, -1.0, -2.5),
    "fund_cautious": (-3.0, -0.8, -0.3, 0.6, 1.2, 1.2),
    "fund_mixed": (-2.0, 0.0, 0.3, 1.1, 0.9, 0.4),
    "fund_equity": (-0.5, 1.0, 0.5, 1.0, 0.2, -0.8),
    "fund_theme": (0.2, 0.8, 0.2, 0.6, -0.2, -1.5),
    "pension_plan": (-2.0, 1.2, 1.1, 0.7, -1.0, -5.0),
    "pension_topup": (-5.0, -0.8, 0.2, 1.5, 1.7, -4.0),
    "annuity": (-6.0, -6.0, -5.0, -2.0, 1.6, 1.8),
    "liability": (-0.5, 1.3, 0.4, -0.5, -1.0, -1.0),
    "home": (-1.5, 0.9, 1.0, 0.2, -0.3, -0.3),
    "life": (-4.0, -0.3, 1.8, 0.3, -1.5, -4.0),
    "disability": (-0.6, 1.6, 0.9, -0.6, -3.0, -6.0),
    "accident": (-1.0, -0.3, 1.0, -0.2, 0.1, 0.5),
    "travel": (0.5, 0.7, 0.3, 0.3, 0.7, 0.8),
    "legal": (-2.0, 0.4, 0.6, 0.4, 0.0, -0.3),
    "car": (-0.3, 0.9, 0.6, 0.3, 0.0, -0.5),
    "health": (-2.0, -0.5, 0.2, 0.5, 1.2, 1.3),
    "device": (1.7, 0.9, 0.0, -0.6, -1.2, -2.0),
    "pet": (-0.8, 0.3, 0.5, 0.2, 0.1, 0.1),
}

# What tends to follow what: after a product of the first segment, the others gain; strongest
# at once (for deposits: from the day they mature), fading over months.
FOLLOWS: dict[str, dict[str, float]] = {
    "account": {"debit": 3.0, "instant": 2.2, "travel_card": 1.2, "liability": 0.8},
    "youth_account": {"debit": 3.0, "instant": 2.0, "device": 1.5, "travel_card": 1.2},
    "premium_account": {"premium_card": 3.0, "fund_mixed": 1.6, "notice": 1.2},
    "debit": {"instant": 2.0, "device": 1.2, "fund_plan": 1.0},
    "travel_card": {"travel": 2.4},
    "premium_card": {"travel": 1.4, "fund_equity": 0.8},
    "instant": {"fund_plan": 2.2, "deposit_short": 1.5, "home_savings": 1.0},
    "notice": {"deposit_mid": 1.6, "deposit_short": 1.2, "fund_cautious": 1.2},
    "child_savings": {"life": 2.2, "accident": 1.8, "disability": 1.0},
    "home_savings": {"home": 2.4, "life": 1.4, "liability": 1.0},
    "deposit_short": {"deposit_short": 2.4, "deposit_mid": 2.6, "bond_safe": 2.2},
    "deposit_mid": {"deposit_mid": 2.6, "deposit_long": 2.0, "bond_safe": 2.4},
    "deposit_long": {"bond_safe": 1.5, "annuity": 1.0},
    "bond_safe": {"bond_safe": 1.8, "bond_corp": 1.4, "fund_cautious": 1.4},
    "bond_corp": {"bond_corp": 1.6, "fund_mixed": 1.4},
    "fund_plan": {"fund_equity": 2.4, "pension_plan": 1.6, "fund_theme": 1.0},
    "fund_cautious": {"fund_mixed": 1.8, "bond_safe": 1.2},
    "fund_mixed": {"fund_equity": 1.6, "fund_mixed": 1.2, "pension_topup": 1.0},
    "fund_equity": {"fund_theme": 2.2, "fund_equity": 1.8},
    "fund_theme": {"fund_theme": 2.2, "fund_equity": 1.4},
    "pension_plan": {"disability": 2.0, "pension_topup": 1.6},
    "pension_topup": {"annuity": 1.4, "fund_mixed": 1.0},
    "annuity": {"health": 1.8, "fund_cautious": 1.2},
    "liability": {"home": 2.4, "legal": 1.6},
    "home": {"liability": 2.2, "legal": 1.8},
    "life": {"disability": 2.2, "child_savings": 1.2},
    "disability": {"pension_plan": 1.4, "liability": 1.0},
    "accident": {"health": 1.6, "legal": 0.8},
    "travel": {"travel_card": 1.8, "accident": 0.8},
    "car": {"legal": 2.2, "accident": 1.2},
    "health": {"health": 1.6, "accident": 1.2},
    "device": {"travel": 0.8, "fund_plan": 0.8},
    "pet": {"liability": 1.6},
}

# One of these is enough: whoever has one rarely takes another of the same group.
ENOUGH = (
    {"account", "youth_account", "premium_account"},
    {"debit"},
    {"premium_card"},
    {"home_savings"},
    {"liability"},
    {"life"},
    {"disability"},
    {"car"},
    {"pension_plan"},
    {"annuity"},
    {"pet"},
)
ENOUGH_PENALTY = 2.5
NEWCOMER_GAIN = 3.5  # of an account, as the first product of a new customer
FOLLOW_GAIN = 1.4  # strength of FOLLOWS as a whole
PULL_POWER = 1.3  # above 1: popular products more popular, rare ones rarer

# Months (1 to 12) in which a segment is sought more or less than usual.
SEASON: dict[str, dict[int, float]] = {
    "pension_topup": {10: 0.6, 11: 1.5, 12: 2.3, 1: -0.4},  # allowances end with the tax year
    "pension_plan": {11: 0.4, 12: 0.7},
    "travel": {4: 0.4, 5: 1.0, 6: 1.7, 7: 1.8, 8: 1.0, 11: -0.6, 2: -0.4},
    "travel_card": {5: 0.6, 6: 1.0, 7: 0.8},
    "car": {10: 0.6, 11: 1.6},  # the usual month of giving notice to the old insurer
    "youth_account": {8: 0.6, 9: 1.2, 10: 1.0},
    "child_savings": {11: 0.5, 12: 1.0},
    "fund_plan": {1: 0.7, 2: 0.3},
    "device": {11: 0.6, 12: 0.9},
    "home_savings": {12: 0.9},
    "health": {11: 0.4, 12: 0.4},
}

# Policy rate of the euro area (% a year) from these days on.
RATES: tuple[tuple[date, float], ...] = (
    (date(2022, 12, 21), 2.00),
    (date(2023, 2, 8), 2.50),
    (date(2023, 3, 22), 3.00),
    (date(2023, 5, 10), 3.25),
    (date(2023, 6, 21), 3.50),
    (date(2023, 8, 2), 3.75),
    (date(2023, 9, 20), 4.00),
    (date(2024, 6, 12), 3.75),
    (date(2024, 9, 18), 3.50),
    (date(2024, 10, 23), 3.25),
    (date(2024, 12, 18), 3.00),
)
NEWS_DAYS = 21  # for so long after a change people talk about rates

# Share of customers who held something of a segment when the window begins; unseen in the data.
HELD_BEFORE = {"account": 0.9, "debit": 0.8, "instant": 0.5, "liability": 0.4, "home": 0.4}
HELD_BEFORE |= {"car": 0.4, "pension_plan": 0.25, "life": 0.15, "disability": 0.15}

# Median amount in EUR of a first payment, deposit or yearly premium, by product type.
AMOUNTS = {
    "account": 600.0,
    "card": 45.0,
    "savings": 1_500.0,
    "term deposit": 12_000.0,
    "bond": 6_000.0,
    "fund": 2_500.0,
    "pension": 1_800.0,
    "insurance": 180.0,
}


def appeal_by_stage(segments: list[str]) -> np.ndarray:
    """Log-odds of each product in each stage of life, float64 [6, N]."""
    return np.array([STAGE_APPEAL[s] for s in segments]).T


def follow_matrix(segments: list[str]) -> np.ndarray:
    """Gain of product j after product i, float64 [N, N]."""
    gains = np.array([[FOLLOWS.get(a, {}).get(b, 0.0) for b in segments] for a in segments])
    return FOLLOW_GAIN * gains


def enough_matrix(segments: list[str]) -> np.ndarray:
    """Loss of product j once product i is there, float64 [N, N], not negative."""
    group = {segment: i for i, together in enumerate(ENOUGH) for segment in together}
    of = np.array([group.get(s, -1) for s in segments])
    return ENOUGH_PENALTY * ((of[:, None] == of) & (of >= 0))


def calendar(segments: list[str], launched: list[date | None]) -> np.ndarray:
    """Log-odds of each product on each day: seasons, rates, fashion, launches; [DAYS, N].

    A product that is not launched yet has minus infinity.
    """
    dates = pd.date_range(FIRST_DAY, periods=DAYS)
    months = dates.month.to_numpy()
    changes = np.array([(day - FIRST_DAY).days for day, _ in RATES])
    now = np.searchsorted(changes, np.arange(DAYS), side="right") - 1
    rate = np.array([level for _, level in RATES])[now]
    news = (np.arange(DAYS) - changes[now]) < NEWS_DAYS
    step = np.diff([level for _, level in RATES], prepend=RATES[0][1])[now]
    odds = np.zeros((DAYS, len(segments)))
    for j, segment in enumerate(segments):
        for month, gain in SEASON.get(segment, {}).items():
            odds[months == month, j] += gain
        if segment.startswith("deposit"):
            odds[:, j] += 0.6 * (rate - 3.2) + 0.9 * news
        if segment in ("deposit_long", "bond_safe"):
            odds[:, j] += 0.9 * (news & (step < 0))  # lock the rate in before the next cut
        if segment.startswith("fund") and segment != "fund_cautious":
            odds[:, j] += np.linspace(-0.25, 0.35, DAYS)
        start = launched[j]
        if start is not None:
            age = np.arange(DAYS) - (start - FIRST_DAY).days
            campaign = 1.2 * np.exp(-np.maximum(age, 0) / 45)
            odds[:, j] = np.where(age >= 0, odds[:, j] + campaign, -np.inf)
    return odds


def traffic() -> np.ndarray:
    """Relative number of purchases on each day, float64 [DAYS]; sums to one."""
    dates = pd.date_range(FIRST_DAY, periods=DAYS)
    by_month = np.array([1.15, 1.0, 1.0, 0.95, 0.95, 1.0, 0.9, 0.8, 1.0, 1.05, 1.1, 1.2])
    volume = by_month[dates.month.to_numpy() - 1] * np.linspace(0.7, 1.75, DAYS)
    volume *= np.where(dates.day_of_week.to_numpy() >= 5, 0.35, 1.0)
    return volume / volume.sum()
