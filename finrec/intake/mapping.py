"""What each column of an uploaded file means: proposed, checked by a person, saved, used again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from finrec.intake.formats import Format
from finrec.intake.sentences import sentence
from finrec.schema import DataError

Role = Literal[
    "customer", "product", "date", "amount", "kind", "holding", "opened", "attribute",
    "product attribute", "text", "name", "price", "target", "ignore",
]  # fmt: skip
TableKind = Literal["events", "holdings", "customers", "products", "prices", "links", "ignore"]
Type = Literal["text", "number", "date"]
ROLES: tuple[str, ...] = get_args(Role)
KINDS: tuple[str, ...] = get_args(TableKind)
TYPES: tuple[str, ...] = get_args(Type)
VERSION = 1
DOUBTFUL = 0.4  # confidence below which a proposal is said to be doubtful
NEEDS: dict[str, tuple[str, ...]] = {
    "events": ("customer", "product"),
    "holdings": ("customer",),  # and a holding or an opened
    "customers": ("customer",),
    "products": ("product",),
    "prices": ("date", "price"),  # without a product each price column is a series
    "links": ("customer", "target"),
    "ignore": (),
}
USES: dict[str, frozenset[str]] = {  # roles that mean something in a table of that kind
    "events": frozenset(ROLES) - {"holding", "opened", "price", "target"},
    "holdings": frozenset({"customer", "date", "holding", "opened", "attribute", "text"}),
    "customers": frozenset({"customer", "attribute", "text"}),
    "products": frozenset({"product", "name", "text", "product attribute"}),
    "prices": frozenset({"product", "date", "price"}),
    "links": frozenset({"customer", "target"}),
    "ignore": frozenset(),
}
ONCE = ("customer", "product", "date", "amount", "kind", "name", "price", "target")


@dataclass(frozen=True)
class Column:
    """What one column means.

    Args:
        name: in the file.
        role: what it is used for; ``holding``: whether the product that the column is named after
            is held, ``opened``: the day on which it was taken.
        type: how an attribute is read.
        formats: of dates, as strptime knows them, tried in order; ``iso``, ``seconds``,
            ``milliseconds`` and ``spreadsheet`` (days since 1899-12-30) too.
        coarsen: ``""``; a number: that many units a band (10: age 37 becomes 30); ``month`` or
            ``year`` for dates; ``first N`` for text: its first N characters.
        confidence: of the proposal, 0 to 1; 1 for what a person chose.
        why: reason of the proposal.
    """

    name: str
    role: Role
    type: Type = "text"
    formats: tuple[str, ...] = ()
    coarsen: str = ""
    confidence: float = 1.0
    why: str = ""


@dataclass(frozen=True)
class Table:
    """What one file is.

    Args:
        file: its name when the mapping was made; files are matched by their columns.
        kind: what a row is.
        columns: in the order of the file.
        format: how it is written.
        blank_means_no: of holdings: an empty cell says no (else it says nothing).
    """

    file: str
    kind: TableKind
    columns: tuple[Column, ...]
    format: Format = Format()
    blank_means_no: bool = False

    def having(self, role: str) -> list[Column]:
        """Columns of that role."""
        return [c for c in self.columns if c.role == role]

    def index(self, column: Column) -> int:
        """Position of a column in the file."""
        return self.columns.index(column)


@dataclass(frozen=True)
class Mapping:
    """What the files mean, and what to do with doubtful rows.

    Args:
        name: of the data set that comes out (letters, digits, ``_``, ``-``).
        title: for people.
        tables: one a file.
        duplicates: ``keep`` or ``reject`` events that repeat another entirely.
        future: ``reject`` or ``keep`` events dated after today.
        unknown_products: ``add`` or ``reject`` events of products that a products file lacks.
        negative: ``keep`` or ``reject`` events with a negative amount.
        ages: highest believable age; others count as unknown.
        pseudonymise: replace customer ids by a keyed hash.
        repeatable: whether a customer may take a product again; None: as the events show.
        product_word: what a product is called.
    """

    name: str
    tables: tuple[Table, ...]
    title: str = ""
    duplicates: Literal["keep", "reject"] = "keep"
    future: Literal["keep", "reject"] = "reject"
    unknown_products: Literal["add", "reject"] = "add"
    negative: Literal["keep", "reject"] = "keep"
    ages: float = 120.0
    pseudonymise: bool = False
    repeatable: bool | None = None
    product_word: str = "product"
    version: int = field(default=VERSION)

    def to_json(self) -> str:
        """As text, to be saved and used for next month's files."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @staticmethod
    def from_json(text: str | bytes) -> Mapping:
        """Inverse of :meth:`to_json`.

        Raises:
            DataError: when it is none, or names a role that is unknown.
        """
        try:
            told = json.loads(text)
            if told["version"] != VERSION:
                raise DataError(
                    f"The mapping has version {told['version']}, this program reads {VERSION}; "
                    "make it again."
                )
            return checked(Mapping.unchecked(told))
        except DataError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(f"The mapping can't be read ({error}); save it again.") from error

    @staticmethod
    def unchecked(told: dict[str, Any]) -> Mapping:
        """From parsed JSON; a proposal may lack what only a person can choose."""
        rest = {k: v for k, v in told.items() if k != "tables"}
        return Mapping(tables=tuple(_table(t) for t in told["tables"]), **rest)

    def meaning(self) -> list[str]:
        """What the mapping says, one sentence a table."""
        return [sentence(t) for t in self.tables]

    def doubts(self) -> list[str]:
        """Columns whose proposed meaning a person should look at, one sentence each."""
        return [
            f"{table.file}, column {column.name}: {column.why}."
            for table in self.tables
            for column in table.columns
            if column.confidence < DOUBTFUL
        ]

    def with_role(self, file: str, column: str, role: Role) -> Mapping:
        """The same with another role for one column, chosen by a person."""
        tables = []
        for table in self.tables:
            if table.file == file:
                columns = tuple(
                    replace(c, role=role, confidence=1.0, why="chosen") if c.name == column else c
                    for c in table.columns
                )
                table = replace(table, columns=columns)
            tables.append(table)
        return replace(self, tables=tuple(tables))


def _table(stored: dict[str, Any]) -> Table:
    told = dict(stored)
    columns = tuple(Column(**{**c, "formats": tuple(c["formats"])}) for c in told.pop("columns"))
    form = Format(**told.pop("format"))
    return Table(columns=columns, format=form, **told)


def checked(mapping: Mapping) -> Mapping:
    """The mapping, if every table has what its kind needs.

    Raises:
        DataError: naming the table, the role and the remedy.
    """
    plain = mapping.name.replace("_", "").replace("-", "")
    if not (plain.isascii() and plain.isalnum() and len(mapping.name) <= 60):
        raise DataError(f"{mapping.name!r} is no name of a data set; use letters, digits, _ and -.")
    for option, allowed in (("duplicates", ("keep", "reject")), ("future", ("keep", "reject")),
                            ("negative", ("keep", "reject")),
                            ("unknown_products", ("add", "reject"))):  # fmt: skip
        if getattr(mapping, option) not in allowed:
            raise DataError(f"{option} of the mapping must be one of {', '.join(allowed)}.")
    for table in mapping.tables:
        if table.kind not in KINDS:
            raise DataError(f"{table.file}: {table.kind!r} is no kind of table; use one of "
                            f"{', '.join(KINDS)}.")  # fmt: skip
        for column in table.columns:
            if column.role not in ROLES or column.type not in TYPES:
                raise DataError(
                    f"{table.file}, column {column.name}: {column.role!r} as {column.type!r} is "
                    f"unknown; roles are {', '.join(ROLES)}."
                )
            _coarsening(table, column)
        if table.kind == "ignore":
            continue
        for role in NEEDS[table.kind]:
            if not table.having(role):
                raise DataError(
                    f"{table.file} is taken for {table.kind} but no column is the {role}; choose "
                    f"one of {', '.join(c.name for c in table.columns[:12])}."
                )
        if table.kind == "holdings" and not (table.having("holding") or table.having("opened")):
            raise DataError(
                f"{table.file} is taken for holdings but no column is the holding; choose one of "
                f"{', '.join(c.name for c in table.columns[:12])}."
            )
        for role in ONCE:
            named = table.having(role)
            if role == "price" and wide_prices(table):
                continue
            if len(named) > 1:
                raise DataError(
                    f"{table.file}: {named[0].name} and {named[1].name} are both the {role}; "
                    "keep one."
                )
    if not any(t.kind in ("events", "holdings", "products") for t in mapping.tables):
        raise DataError(
            "None of the files says which products there are; give a table of events, of holdings "
            "or of products."
        )
    return mapping


def fitting(table: Table) -> Table:
    """The table with roles that its kind doesn't have turned into attributes, or left out.

    So a person may change what a row is without going through all columns again.
    """
    described: Role = "product attribute" if table.kind == "products" else "attribute"
    uses = USES[table.kind]
    types: dict[str, Type] = {"date": "date", "opened": "date", "amount": "number",
                              "price": "number"}  # fmt: skip

    def fit(column: Column) -> Column:
        if column.role in uses or column.role == "ignore":
            return column
        if described not in uses:
            return replace(column, role="ignore")
        return replace(column, role=described, type=types.get(column.role, column.type))

    return replace(table, columns=tuple(fit(c) for c in table.columns))


def wide_prices(table: Table) -> bool:
    """Whether every price column is a product of its own."""
    return table.kind == "prices" and not table.having("product")


def _coarsening(table: Table, column: Column) -> None:
    how = column.coarsen
    good = how in ("", "month", "year") or how.replace(".", "", 1).isdigit()
    first, _, count = how.partition(" ")
    if not (good or (first == "first" and count.isdigit() and int(count) > 0)) or how == "0":
        raise DataError(
            f"{table.file}, column {column.name}: {how!r} is no way to coarsen; use a width, "
            "month, year or `first 3`."
        )


def matched(mapping: Mapping, columns: Sequence[tuple[str, Sequence[str]]]) -> list[Table]:
    """The table of the mapping for each file, found by its columns, in the order of files.

    Columns may stand in another order; those that the mapping does not use may be missing, new
    ones are not used.

    Raises:
        DataError: when a file lacks a column that every table of the mapping needs.
    """
    found = []
    for file, names in columns:
        fits = []
        lacking: list[tuple[int, str]] = []
        for table in mapping.tables:
            used = [c.name for c in table.columns if c.role != "ignore"]
            missing = [n for n in used if n not in names]
            if missing or not used:
                lacking.append((len(missing), missing[0] if missing else ""))
            else:
                fits.append((table.file == file, len(used), table))
        if not fits:
            unused = [t for t in mapping.tables if t.file == file and t.kind == "ignore"]
            if unused:
                fits = [(True, 0, unused[0])]
            else:
                column = min(lacking, default=(0, ""))[1]
                raise DataError(
                    f"{file} has no column {column}, which the mapping needs; it has "
                    f"{', '.join(list(names)[:12])}. Rename it, or make a new mapping."
                )
        table = max(fits, key=lambda f: f[:2])[2]
        known = {c.name: c for c in table.columns}
        ordered = tuple(known.get(n, Column(n, "ignore", why="not in the mapping")) for n in names)
        found.append(replace(table, file=file, columns=ordered))
    return found
