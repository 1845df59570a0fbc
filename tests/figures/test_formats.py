"""Numbers, dates and names as a reader sees them; text from data means only itself."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from finrec.figures import formats


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (formats.number(1234567), "1,234,567"),
        (formats.number(-1234.5, 1), "−1,234.5"),
        (formats.number(-0.00001, 4), "0.0000"),
        (formats.number(None), "–"),
        (formats.number(float("nan")), "–"),
        (formats.signed(-0.5), "−0.50"),
        (formats.signed(0.5), "+0.50"),
        (formats.signed(-0.001), "0.00"),
        (formats.share(0.1234), "12.3%"),
        (formats.chance(0.1234), "12.3%"),
        (formats.chance(0.00123), "0.12%"),
        (formats.chance(0.000123), "0.012%"),
        (formats.metric(0.12345), "0.1235"),
        (formats.measure("ndcg@10"), "NDCG@10"),
        (formats.measure("recall@5"), "Recall@5"),
        (formats.measure("roc_auc"), "ROC-AUC"),
        (formats.day("2024-11-02T14:05:00+00:00"), "2 Nov 2024"),
        (formats.day(pd.NaT), "–"),
        (formats.moment("2024-11-02T14:05:00+02:00"), "2 Nov 2024, 12:05"),
        (formats.duration(45), "45 s"),
        (formats.duration(130), "2 min 10 s"),
        (formats.duration(3600), "1 h"),
        (formats.duration(3900), "1 h 5 min"),
        (formats.duration(None), "–"),
        (formats.size(999), "999 B"),
        (formats.size(1_400_000), "1.4 MB"),
        (formats.counted(1, "pass", "passes"), "1 pass"),
        (formats.counted(2000, "pass", "passes"), "2,000 passes"),
        (formats.words("marital_status"), "Marital status"),
        (formats.value(np.int64(43)), "43"),
        (formats.value(51600.0), "51,600"),
        (formats.value(1.255), "1.25"),
        (formats.value(np.True_), "yes"),
        (formats.value(None), "–"),
        (formats.value("007"), "007"),
        (formats.value(pd.Timestamp("2024-01-09")), "9 Jan 2024"),
        (formats.shortened("Gold card"), "Gold card"),
        (formats.shortened("A" * 40, 10), "A" * 9 + "…"),
    ],
)
def test_formats(given: str, shown: str) -> None:
    assert given == shown


def test_markdown_of_a_hostile_name_has_nothing_left_to_read() -> None:
    name = "**x** [a](http://b.c) $y$ :red[z] <b># `c` ~~d~~ | www.e.f g@h.i\n- j"
    shown = formats.markdown(name)
    assert not re.search(r"(?<!\\)[*\[\]()$:<>#`~|_-]", shown)
    assert "\n" not in shown
    assert not re.search(r"https?\\?:/|www\\?\.|@\w", shown), "nothing is turned into a link"
    unescaped = re.sub(r"\\(.)", r"\1", shown).replace("\u2060", "")
    assert unescaped == " ".join(name.split())


def test_markup_of_a_hostile_name_is_plain() -> None:
    assert formats.markup('<a href="x">A & B</a>') == '&lt;a href="x"&gt;A &amp; B&lt;/a&gt;'
