"""Colours stand out from a light and from a dark page, and from each other."""

from __future__ import annotations

import tomllib
from itertools import combinations
from pathlib import Path

import pytest

from finrec.figures import style
from finrec.figures.style import PALETTE

CONFIG = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"
THEME = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["theme"]


def channels(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("colour", PALETTE)
def test_every_colour_stands_out_from_the_page(colour: str, scheme: str) -> None:
    assert contrast(colour, THEME[scheme]["backgroundColor"]) >= 3


def test_colours_of_one_chart_differ_without_red_and_green_being_told_apart() -> None:
    """With the long and middle cones' signals merged (as in deuteranopia), roughly."""

    def seen(colour: str) -> tuple[float, float]:
        red, green, blue = channels(colour)
        return 0.6 * red + 0.4 * green, blue

    for one, other in combinations(PALETTE[:4], 2):
        (a, b), (c, d) = seen(one), seen(other)
        assert abs(a - c) + abs(b - d) > 0.12, (one, other)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_of_a_figure_read_well(scheme: str) -> None:
    figure = style.inked(style.empty("Nothing to draw"), dark=scheme == "dark")
    ground = THEME[scheme]["backgroundColor"]
    for ink in (
        figure.layout.font.color,
        figure.layout.xaxis.tickfont.color,
        figure.layout.yaxis.title.font.color,
        figure.layout.annotations[0].font.color,
    ):
        assert contrast(ink, ground) >= 4.5
