"""Methods to compare with, each in a file of its own, listed here with where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from finrec.schema import DataError
from finrec.scorer import Cohort
from finrec.split import Fold, Split


class Baseline(Protocol):
    """A method: learns from a fold's training part, then scores."""

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> Baseline:
        """Learn from ``fold.train`` alone."""
        ...

    def score(self, customers: Cohort) -> np.ndarray:
        """Scores, float32 [B, N]; see :class:`finrec.scorer.Scorer`."""
        ...


@dataclass(frozen=True)
class Method:
    """A method by name.

    Args:
        name: on the command line.
        title: for people.
        source: the publication; a stand-in says for what.
        module: of finrec.baselines.
        kind: its class there.
        space: what tuning may try, by argument; the first value is the default.
        seeded: whether chance plays a part, so that seeds matter.
        fixed: arguments that are no choice.
    """

    name: str
    title: str
    source: str
    module: str
    kind: str
    space: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    seeded: bool = False
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def build(self, settings: Mapping[str, Any] | None = None, seed: int = 0) -> Baseline:
        """An instance with these settings, defaults for the rest."""
        made = getattr(import_module(f"finrec.baselines.{self.module}"), self.kind)
        chosen = {name: values[0] for name, values in self.space.items()}
        chosen |= dict(self.fixed) | dict(settings or {})
        if self.seeded:
            chosen["seed"] = seed
        baseline: Baseline = made(**chosen)
        return baseline


_WEIGHTS = (90.0, 30.0, 180.0, 365.0, None)
METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        Method("popularity", "Popularity", "number of events", "popularity", "Popularity"),
        Method("recent_popularity", "Popularity of late", "number of recent events", "popularity",
               "Popularity", {"days": (90.0, 30.0, 180.0, 365.0)}),
        Method("repeat", "Repeat", "what was taken before, popularity after it; the usual check "
               "of repeat consumption (Anderson et al., 2014)", "repeat", "Repeat",
               {"days": (90.0, 30.0, 365.0)}),
        Method("markov", "Markov chain", "Zhai and Lafferty (2004) for its smoothing", "markov",
               "Markov", {"weight": (20.0, 5.0, 50.0, 200.0, 1000.0), "days": _WEIGHTS}),
        Method("itemcf", "Item-based CF", "Sarwar et al. (2001)", "itemcf", "ItemCF",
               {"shrinkage": (10.0, 0.0, 30.0, 100.0)}),
        Method("naive_bayes", "Naive Bayes", "McCallum and Nigam (1998)", "naive_bayes",
               "NaiveBayes", {"smoothing": (1.0, 0.1, 10.0), "days": _WEIGHTS}),
        Method("ease", "EASE", "Steck (2019)", "ease", "Ease",
               {"penalty": (100.0, 30.0, 300.0, 1000.0)}),
        Method("boosting", "Gradient boosting", "stand-in for Portugal et al. (2018), a review: "
               "LightGBM on engineered features (Ke et al., 2017)", "boosting", "Boosting",
               {"leaves": (15, 7, 31), "trees": (150, 60, 400), "rate": (0.05, 0.1),
                "held_back": (0.15, 0.3)}, seeded=True),
        Method("content", "Content-based", "the paper's CBR: cosine of attributes and words of "
               "names (Pazzani and Billsus, 2007)", "content", "Content",
               {"decay": (0.8, 1.0, 0.5)}),
        Method("sasrec", "SASRec", "stand-in for Zhang et al. (2019), a survey: Kang and McAuley "
               "(2018) with a full softmax", "sasrec", "SASRec",
               {"epochs": (18, 12, 6, 3), "dropout": (0.5, 0.4, 0.2), "rate": (1e-3, 5e-4),
                "smoothing": (0.1, 0.0)}, seeded=True),
        Method("gru4rec", "GRU4Rec", "Hidasi et al. (2016) with a full softmax", "gru4rec",
               "GRU4Rec", {"epochs": (10, 5, 20), "dropout": (0.3, 0.1, 0.5),
                           "rate": (2e-3, 1e-3)}, seeded=True),
        Method("neumf", "NeuMF", "stand-in for Zhang et al. (2019), a survey: He et al. (2017)",
               "neumf", "NeuMF", {"epochs": (20, 10, 40), "width": (32, 16),
                                  "dropout": (0.2, 0.0, 0.5), "rate": (2e-3, 1e-3)}, seeded=True),
        Method("dlrm", "DLRM", "Naumov et al. (2019)", "dlrm", "DLRM",
               {"epochs": (10, 5, 20), "negatives": (8, 4), "width": (32, 16),
                "rate": (2e-3, 1e-3)}, seeded=True),
        Method("lightgcn", "LightGCN", "He et al. (2020)", "lightgcn", "LightGCN",
               {"epochs": (20, 10, 40), "layers": (2, 3, 1), "rate": (5e-3, 2e-3)}, seeded=True),
        Method("robo_advisor", "Robo-advisor", "Jung et al. (2018): utility of risk and horizon",
               "robo_advisor", "RoboAdvisor", {"weight": (1.0, 0.3, 3.0)}),
        Method("slope_one_trust", "Trust and Slope One", "Jiang et al. (2019): improved Slope One "
               "with trusted users", "slope_one_trust", "SlopeOneTrust",
               {"neighbours": (50, 20, 100), "popular": (0.1, 0.01, 1.0)}),
        Method("time_cf_cuckoo", "Time CF with cuckoo search", "Cui et al. (2020): time "
               "correlation and cuckoo-search k-means", "time_cf_cuckoo", "TimeCFCuckoo",
               {"clusters": (8, 4, 16), "half_life": (365.0, 90.0, 1000.0),
                "neighbours": (100, 30, 300)}, seeded=True),
        Method("ips_mf", "IPS-MF", "Schnabel et al. (2016), for acquisitions: Saito et al. (2020)",
               "factors", "Factors", {"width": (64, 16, 32, 128), "penalty": (3.0, 1.0, 10.0, 30.0),
                                      "power": (0.25, 0.5, 0.1)},
               seeded=True, fixed={"propensity": "inverse"}),
        Method("doubly_robust", "Doubly robust MF", "Wang et al. (2019)", "factors", "Factors",
               {"width": (64, 16, 32, 128), "penalty": (3.0, 1.0, 10.0, 30.0),
                "power": (0.25, 0.5, 0.1)},
               seeded=True, fixed={"propensity": "doubly"}),
    )
}  # fmt: skip


def method(name: str) -> Method:
    """The method of that name.

    Raises:
        DataError: when there is none.
    """
    if name not in METHODS:
        raise DataError(f"Method {name!r} is unknown; there are {', '.join(METHODS)}.")
    return METHODS[name]
