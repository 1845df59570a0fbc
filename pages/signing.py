"""Who uses the app: signing in with the bank's own identity provider, where one is set up.

Set up is an OpenID Connect provider in ``.streamlit/secrets.toml`` under ``[auth]``; without one
nobody is asked, and records carry the account that runs the app.
"""

from __future__ import annotations

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError


def needed() -> bool:
    """Whether an identity provider is set up."""
    try:
        return "auth" in st.secrets
    except StreamlitSecretNotFoundError:
        return False


def signed_in() -> bool:
    """Whether somebody has signed in."""
    return bool(getattr(st.user, "is_logged_in", False))


def gate() -> None:
    """Where an identity provider is set up, nothing is shown before somebody has signed in."""
    if not needed() or signed_in():
        return
    st.title("finrec", anchor=False)
    st.markdown("Which financial product fits which customer, and why.")
    st.button("Sign in", type="primary", icon=":material/login:", on_click=st.login, key="sign in")
    st.stop()


def who() -> str:
    """Who is signed in; empty where nobody is asked."""
    if not needed() or not signed_in():
        return ""
    return str(st.user.get("email") or st.user.get("name") or st.user.get("sub") or "")


def out() -> None:
    """Who is signed in, and the way out."""
    name = who()
    if name:
        st.caption(f"Signed in as {name}")
        st.button("Sign out", icon=":material/logout:", on_click=st.logout, key="sign out")
