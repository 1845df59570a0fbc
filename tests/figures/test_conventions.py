"""Numbers, money and dates as different countries write them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from finrec.figures import conventions, formats


@pytest.fixture
def said() -> Iterator[list[str]]:
    """Change it to change whose conventions hold: name and currency."""
    now = ["", ""]
    before = conventions._asked[0]
    conventions.ask(lambda: (now[0], now[1]))
    yield now
    conventions.ask(before)


@pytest.mark.parametrize(
    ("name", "number", "share", "day", "money"),
    [
        ("en-GB", "1,234,567.5", "12.3%", "2 Nov 2024", "€1,235"),
        ("en-US", "1,234,567.5", "12.3%", "Nov 2, 2024", "€1,235"),
        ("de-DE", "1.234.567,5", "12,3\u00a0%", "02.11.2024", "1.235\u00a0€"),
        ("fr-FR", "1\u202f234\u202f567,5", "12,3\u202f%", "02/11/2024", "1\u202f235\u00a0€"),
        ("de-CH", "1’234’567.5", "12.3%", "02.11.2024", "€1’235"),
        ("iso", "1,234,567.5", "12.3%", "2024-11-02", "€1,235"),
    ],
)
def test_each_country_writes_its_own_way(
    said: list[str], name: str, number: str, share: str, day: str, money: str
) -> None:
    said[:] = [name, "EUR"]
    assert formats.number(1234567.5, 1) == number
    assert formats.share(0.123) == share
    assert formats.day("2024-11-02") == day
    assert formats.moment("2024-11-02T14:05:00+00:00") == f"{day}, 14:05"
    assert formats.money(1234.6) == money


def test_counts_sizes_and_signs_follow(said: list[str]) -> None:
    said[:] = ["de-DE", ""]
    assert formats.counted(2000, "event") == "2.000 events"
    assert formats.size(1_400_000) == "1,4 MB"
    assert formats.signed(-1234.5, 1) == "−1.234,5"
    assert formats.separators() == ",."
    assert formats.money(-3.0) == "−3"


def test_currency_is_written_with_or_without_a_space(said: list[str]) -> None:
    said[:] = ["en-GB", "CHF"]
    assert formats.money(1000) == "CHF\u00a01,000"
    said[:] = ["en-GB", "GBP"]
    assert formats.money(-1000) == "−£1,000"


@pytest.mark.parametrize(
    ("tag", "name"),
    [("de-AT", "de-DE"), ("DE-ch", "de-CH"), ("es", "es-ES"), ("xx", "en-GB"), (None, "en-GB"),
     ("", "en-GB"), ("iso", "iso")],
)  # fmt: skip
def test_nearest_convention_to_a_browsers_language(tag: str | None, name: str) -> None:
    assert conventions.nearest(tag) == name


def test_environment_decides_where_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINREC_LOCALE", "nl-NL")
    monkeypatch.setenv("FINREC_CURRENCY", "EUR")
    held, sign = conventions.chosen()
    assert (held.title, sign) == ("Netherlands", "€")
