"""Signing in: nothing is shown before it where a provider is set up; nobody is asked elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages import signing
from tests.app.conftest import ROOT, Screen, calm, texts


def test_nothing_is_shown_before_somebody_has_signed_in(home: Path) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.secrets["auth"] = {"redirect_uri": "http://localhost/oauth2callback", "cookie_secret": "x"}
    app.run()
    assert not app.exception
    assert [b.label for b in app.button] == ["Sign in"]
    assert not app.selectbox
    assert "Nothing is loaded yet" not in texts(app)


def test_nobody_is_asked_where_no_provider_is_set_up(screen: Screen, home: Path) -> None:
    app = calm(screen())
    assert "Nothing is loaded yet" in texts(app)
    assert "Sign in" not in [b.label for b in app.button]


@pytest.mark.parametrize(
    ("told", "name"),
    [({"email": "ann@bank.example", "name": "Ann"}, "ann@bank.example"), ({"name": "Ann"}, "Ann")],
)
def test_records_carry_who_signed_in(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, str], name: str
) -> None:
    class User(dict[str, Any]):
        is_logged_in = True

    monkeypatch.setattr(signing, "needed", lambda: True)
    monkeypatch.setattr(signing.st, "user", User(told))
    assert signing.who() == name
