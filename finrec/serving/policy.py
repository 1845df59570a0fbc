"""Who may be offered what: a small TOML file, read with care, and the gate that applies it.

The policy stands beside the score and after it: it never changes how well a product fits, only
whether it may be offered, and it names the rule. Credit decisions are out of scope.
Source of the suitability rules: MiFID II, article 25(2), and delegated regulation (EU) 2017/565,
articles 54 and 55: risk tolerance, horizon, ability to bear losses, knowledge and experience.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from finrec import config
from finrec.schema import PolicyError
from finrec.serving.gate import STATES, Gate, Rule, Verdict, gate, test_it

__all__ = [
    "STATES", "Gate", "Policy", "Rule", "Verdict", "default_text", "file", "gate", "load", "parse",
    "test_it",
]  # fmt: skip

State = Literal["ok", "warn", "needs advice", "blocked"]
Name = Annotated[str, Field(min_length=1, max_length=200)]
DEFAULT = Path(__file__).with_name("default_policy.toml")
CUSTOMER_MEANINGS = (
    "age", "birth_date", "residence", "consent", "vulnerable", "risk_tolerance", "horizon_months",
    "capacity", "knowledge", "manager",
)  # fmt: skip
PRODUCT_MEANINGS = (
    "risk", "term_months", "family", "on_sale", "sale_begins", "sale_ends", "margin",
)  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Columns(_Strict):
    """Which columns hold what the rules speak of; of several, the first that exists is read."""

    customers: dict[Literal[CUSTOMER_MEANINGS], list[Name]] = {}  # type: ignore[valid-type]
    products: dict[Literal[PRODUCT_MEANINGS], list[Name]] = {}  # type: ignore[valid-type]


class Eligibility(_Strict):
    """Whether a customer can have a product at all."""

    min_age: int | None = Field(None, ge=0, le=120)
    max_age: int | None = Field(None, ge=0, le=120)
    residence: list[str] = []
    held: State = "blocked"
    no_consent: State = "blocked"
    cooling_off: dict[Literal["declined", "not_suitable", "not_now"], int] = {}
    cooling_off_scope: Literal["product", "family"] = "product"

    @model_validator(mode="after")
    def _in_order(self) -> Eligibility:
        if self.min_age is not None and self.max_age is not None and self.max_age < self.min_age:
            raise ValueError("max_age is below min_age")
        if any(days < 0 for days in self.cooling_off.values()):
            raise ValueError("cooling_off counts days; give 0 or more")
        return self


class Least(_Strict):
    """From this risk class on, the customer's value must be at least so much."""

    risk: float
    least: float
    state: State


class Suitability(_Strict):
    """Whether a product suits a customer."""

    from_risk: float = 2
    risk_above_tolerance: list[State] = []
    term_beyond_horizon: State = "ok"
    vulnerable: State = "ok"
    unknown: State = "warn"
    oldest_at_end: int | None = Field(None, ge=18, le=130)
    beyond_oldest: State = "needs advice"
    capacity: list[Least] = []
    knowledge: list[Least] = []


class Value(_Strict):
    """What offers bring and cost; used to order calls and campaigns, never to let one through."""

    currency: str = "EUR"
    margin: dict[str, float] = {}
    margin_otherwise: float = 1.0
    lifetime: dict[str, float] = {}
    window_days: int = Field(30, ge=1, le=365)
    call_cost: float = Field(0.0, ge=0)
    fatigue: float = Field(1.0, ge=0, le=1)
    fatigue_days: int = Field(90, ge=1, le=3650)
    saturation: float = Field(1.0, ge=0, le=1)
    right: float = Field(0.0, ge=0, lt=1)
    explore: float = Field(0.0, ge=0, le=0.5)
    maturing: list[str] = []


class Lists(_Strict):
    """What a customer's list weighs besides fit; see :class:`finrec.serving.rerank.Weights`."""

    value: float = Field(0.0, ge=0, le=1)
    variety: float = Field(0.0, ge=0, le=1)
    variety_by: Literal["mmr", "dpp"] = "mmr"


class Condition(_Strict):
    """What a value of a column must be for a rule to bite; several tests must all hold."""

    column: Name
    one_of: list[str | int | float | bool] | None = None
    none_of: list[str | int | float | bool] | None = None
    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _something(self) -> Condition:
        if self.one_of is None and self.none_of is None and self.above is self.below is None:
            raise ValueError("say one_of, none_of, above or below")
        return self


class Own(_Strict):
    """A rule of the bank's own: bites where both conditions hold; a missing one always does."""

    code: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    sentence: str = Field(min_length=3, max_length=300)
    state: State
    customers: Condition | None = None
    products: Condition | None = None


class Policy(_Strict):
    """All rules; see ``default_policy.toml`` for what each means."""

    title: Name
    scope: str = ""
    offer_up_to: State = "needs advice"
    columns: Columns = Columns()
    levels: dict[str, dict[str, float]] = {}
    eligibility: Eligibility = Eligibility()
    suitability: Suitability = Suitability()
    value: Value = Value()
    lists: Lists = Lists()
    rules: list[Own] = Field([], max_length=30)

    @model_validator(mode="after")
    def _distinct(self) -> Policy:
        codes = [r.code for r in self.rules]
        if len(set(codes)) < len(codes):
            raise ValueError("two rules have the same code")
        return self


def file() -> Path:
    """Where this installation's own policy lies, if it has one."""
    return config.data_dir() / "policy.toml"


def default_text() -> str:
    """The built-in policy, as TOML."""
    return DEFAULT.read_text(encoding="utf-8")


@cache
def _default() -> Policy:
    return parse(default_text(), DEFAULT.name)


def load(path: Path | None = None) -> Policy:
    """The policy in a file; None: the installation's own, or else the built-in one.

    Raises:
        PolicyError: when the file is missing or not valid.
    """
    chosen = path if path is not None else file()
    if path is None and not chosen.exists():
        return _default()
    try:
        text = chosen.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise PolicyError(f"{chosen} can't be read: {why}; give a TOML file.") from error
    return parse(text, chosen.name)


def parse(text: str, name: str = "policy.toml") -> Policy:
    """The policy that a TOML text says.

    Raises:
        PolicyError: naming file, line, field and remedy.
    """
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        last = max(len(text.splitlines()), 1)
        why = str(error).replace("at end of document", f"at line {last}, the end of the file")
        raise PolicyError(f"{name}: {why}; correct the TOML there.") from error
    try:
        return Policy.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        where = [p for p in first["loc"] if p != "[key]"]
        field = ".".join(str(p + 1) if isinstance(p, int) else str(p) for p in where)
        line = _line(text, where)
        problem = first["msg"].removeprefix("Value error, ").lower()
        if first["type"] == "extra_forbidden":
            problem = "no such setting"
        elif first["type"] == "missing":
            problem = "this is required"
        more = f" ({error.error_count()} problems in all)" if error.error_count() > 1 else ""
        raise PolicyError(
            f"{name}, line {line}, {field or 'the whole file'}: {problem}; "
            f"see the built-in policy for an example{more}."
        ) from error


def _line(text: str, where: list[str | int]) -> int:
    """Line of the deepest part of a field's path that the text spells out, from 1."""
    best, depth = 1, 0
    table: list[str | int] = []
    count: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        head = re.match(r"\s*(\[\[?)\s*([^\]#]+?)\s*\]", line)
        key = re.match(r"\s*([\w.\"'-]+)\s*=", line)
        if head:
            table = list(re.split(r"\s*\.\s*", head[2]))
            if head[1] == "[[":
                count[head[2]] = count.get(head[2], -1) + 1
                table.append(count[head[2]])
        if not head and not key:
            continue
        here = [*table, *(key[1].strip("\"'").split(".") if key and not head else ())]
        if len(here) > depth and where[: len(here)] == here:
            best, depth = number, len(here)
    return best
