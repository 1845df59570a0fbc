"""What each number means, by where it stands; shown on Help."""

from __future__ import annotations

NUMBERS: dict[str, tuple[tuple[str, str], ...]] = {
    "Of an offer": (
        (
            "Score",
            "How well a product fits a customer, on the model's own scale. Only differences "
            "between products of the same customer mean something.",
        ),
        (
            "Probability",
            "The chance that, *if* the customer takes something next, it is this product. It "
            "was calibrated on validation cases.",
        ),
        (
            "Chance in so many days",
            "The probability times the chance that the customer takes anything at all within "
            "the policy's window. It is what customers do by themselves; what an offer adds "
            "is known only after a trial with a group that gets none.",
        ),
        (
            "Expected worth",
            "That chance times what one such product brings (the policy's margins), less for "
            "offers made lately and for a need that is filled.",
        ),
        (
            "Rank",
            "Place among the products that may be offered. Products already taken are left "
            "out, unless they can be taken again.",
        ),
        (
            "Suitable, check first, needs advice, blocked",
            "The policy's word, apart from the score. It is recorded with the rule that decided.",
        ),
        (
            "No offer today",
            "No offer's probability is high enough for the share of best offers that the "
            "policy wants to be right, as measured on validation cases alone.",
        ),
        (
            "Reason codes",
            "One code and sentence a reason, tied to an event, an attribute or a link that "
            "can be opened. Topics such as health or religion are never used.",
        ),
    ),
    "Of a model": (
        (
            "HR@k",
            "Share of test cases with at least one product that was really taken among the "
            "first k.",
        ),
        (
            "Recall@k, Precision@k",
            "Share of the products really taken that are among the first k; share of the "
            "first k that were really taken.",
        ),
        (
            "NDCG@k, MAP@k",
            "Like recall, but a hit at the top counts more than one further down; 1 is a "
            "perfect list.",
        ),
        (
            "MRR",
            "Average of 1 / rank of the first hit.",
        ),
        (
            "Precision, recall, F1 of pairs",
            "How well a product that was taken is told from one that was not. Beside one "
            "drawn at random, answering yes to everything already reaches an F1 of 0.67.",
        ),
        (
            "Log-loss, Brier score, calibration error",
            "How honest probabilities are; less is better. Of pairs told 30%, about 30 in 100 "
            "should have been taken.",
        ),
        (
            "Whether anything is taken at all",
            "Asked of every customer with a past. Expected worth rests on whoever was best on "
            "validation: this model, or counting.",
        ),
        (
            "± in a table",
            "Standard deviation over seeds. A difference smaller than this may be chance.",
        ),
        (
            "95% over customers",
            "Where the figure would lie with other customers of the same kind (bootstrap).",
        ),
        (
            "p, customers",
            "How often chance among customers alone would make a difference from `+tl+gnn` as "
            "large, paired by customer and adjusted for the number of comparisons (Holm). Below "
            "0.05 is usually called significant. It takes the trained models as they are.",
        ),
        (
            "p, and seeds",
            "The same where every model is trained anew, too: its spread over seeds counts "
            "(Welch's t). Empty where a method with chance in it has one seed.",
        ),
        (
            "Who gains and loses",
            "The change of a customer's own figure from one method to another. A better "
            "average may rest on few.",
        ),
        (
            "Reference results",
            "Figures that come with finrec, on public data, each with the command that makes it.",
        ),
        (
            "Most popular products",
            "What everybody would be offered without any model. A model that is no better is "
            "of no use, and finrec says so.",
        ),
    ),
    "Of lists and groups": (
        (
            "Coverage",
            "Share of the catalogue that is in anybody's list.",
        ),
        (
            "Evenness",
            "1 less the Gini coefficient of showings: 1 when all products are shown alike.",
        ),
        (
            "Diversity",
            "How little the products of a list have in common, by their attributes.",
        ),
        (
            "Worth, variety (MMR, DPP)",
            "What lists may weigh besides fit. What each setting costs was measured on "
            "validation cases that the model had not learned from.",
        ),
        (
            "Gap between groups",
            "The best less the worst served group; groups that are too small are hidden.",
        ),
        (
            "PSI",
            "How far a column has moved from one snapshot to another; above 0.2 deserves a look.",
        ),
    ),
    "Of reasons": (
        (
            "What adds to the score",
            "The score, split into the parts of the model. The parts add up exactly.",
        ),
        (
            "Effect of an event",
            "The model is asked again without that event.",
        ),
        (
            "What would change it",
            "The fewest events, attributes or links without which the product leaves the "
            "list; the model was asked again to make sure.",
        ),
        (
            "Faithful or not",
            "Evidence is left out step by step: where attention lowers the score no more than "
            "evidence left out at random, the page says so.",
        ),
        (
            "Stable over seeds",
            "Whether other trainings with the same data and settings rest on the same events.",
        ),
    ),
}
