"""A Czech bank of the 1990s (PKDD'99, "Berka"): accounts, cards, standing orders and loans.

The folder holds account, card, client, disp, district, loan, order and perhaps trans, as Parquet,
as CSV or as the original ``.asc`` files separated by semicolons. Dates there are YYMMDD.

The order table has no dates. An order whose first payment is in the transactions is dated by it;
any other is known to be held at the end of the data, since when is not known. Loans are
history: granting one is a credit decision, which is nothing to recommend by what others have.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from finrec.datasets.files import find, table
from finrec.schema import (
    ACQUIRED,
    AMOUNT,
    CUSTOMER,
    DESCRIPTION,
    HELD,
    KIND,
    NAME,
    ORDER,
    PRODUCT,
    TIME,
    DataError,
    Dataset,
    DatasetInfo,
)

INFO = DatasetInfo(
    name="berka",
    title="Czech bank, 1993-1998 (PKDD'99)",
    origin="Discovery Challenge of PKDD 1999; an anonymised Czech bank.",
    licence="none stated; released publicly for the challenge",
    protocol="R2",
    ks=(3, 1, 5),
    repeatable=False,
    product_word="product",
    split=("1998-01-01", "1998-07-01"),
    notes=(
        "Standing orders carry a date only where their first payment is in the transactions.",
        "Loans are shown as history and are never a case to foretell: granting them is a credit "
        "decision. Whether a loan was paid back is not read.",
        "Amounts are in Czech crowns; what an account cost is not known.",
    ),
)
END = pd.Timestamp("1998-12-31")

# id, name, family, description; ids begin with the table they come from.
_PRODUCTS = (
    ("account monthly", "Account, monthly statement", "account",
     "Current account with a statement every month."),
    ("account weekly", "Account, weekly statement", "account",
     "Current account with a statement every week."),
    ("account after transaction", "Account, statement after each transaction", "account",
     "Current account with a statement after every transaction."),
    ("card junior", "Junior card", "card", "Payment card for young customers."),
    ("card classic", "Classic card", "card", "Payment card."),
    ("card gold", "Gold card", "card", "Payment card with higher limits and more services."),
    ("order household", "Standing order for the household", "payments",
     "Regular payment of rent, energy and other costs of the household."),
    ("order insurance", "Standing order for insurance", "payments",
     "Regular payment of an insurance premium."),
    ("order leasing", "Standing order for leasing", "payments",
     "Regular payment of a leasing instalment."),
    ("order loan", "Standing order for a loan", "payments", "Regular payment of a loan."),
    ("order other", "Other standing order", "payments", "Regular payment of another kind."),
    ("loan", "Loan", "lending", "Loan over one to five years, paid back monthly."),
)  # fmt: skip
_STATEMENTS = {
    "POPLATEK MESICNE": "account monthly",
    "POPLATEK TYDNE": "account weekly",
    "POPLATEK PO OBRATU": "account after transaction",
}
_PURPOSES = {
    "SIPO": "order household",
    "POJISTNE": "order insurance",
    "LEASING": "order leasing",
    "UVER": "order loan",
    "": "order other",
}


def load(path: Path | None) -> Dataset:
    """Read the folder; customers are clients, holdings of an account are its owner's."""
    account = table(path, "account", ("account_id", "district_id", "frequency", "date"))
    card = table(path, "card", ("card_id", "disp_id", "type", "issued"))
    disp = table(path, "disp", ("disp_id", "client_id", "account_id", "type"))
    loan = table(path, "loan", ("loan_id", "account_id", "date", "amount"))
    order = table(path, "order", ("order_id", "account_id", "bank_to", "account_to", "amount",
                                  "k_symbol"))  # fmt: skip
    owner = disp[disp["type"] == "OWNER"].set_index("account_id")["client_id"]
    holder = disp.set_index("disp_id")["client_id"]
    started = _started(path, order)
    parts = [
        _events(
            account["account_id"].map(owner),
            _coded(account, "frequency", _STATEMENTS, "account"),
            _yymmdd(account, "date", "account"),
        ),
        _events(
            card["disp_id"].map(holder),
            _coded(card, "type", {t: f"card {t}" for t in ("junior", "classic", "gold")}, "card"),
            _yymmdd(card.assign(issued=card["issued"].astype("str").str[:6]), "issued", "card"),
        ),
        _events(
            order["account_id"].map(owner),
            _coded(order, "k_symbol", _PURPOSES, "order"),
            started.fillna(END),
            np.where(started.isna(), HELD, ACQUIRED),
            order["amount"],
        ),
        _events(
            loan["account_id"].map(owner),
            pd.Series("loan", index=loan.index),
            _yymmdd(loan, "date", "loan"),
            np.full(len(loan), HELD),
            loan["amount"],
        ),
    ]
    events = pd.concat(parts, ignore_index=True)
    if events[CUSTOMER].isna().any():
        raise DataError("Some accounts or cards have no client in the table disp; it is cut short.")
    events = events.sort_values([TIME, CUSTOMER, PRODUCT], kind="stable", ignore_index=True)
    events[ORDER] = np.arange(len(events), dtype=np.int64)
    products = pd.DataFrame(_PRODUCTS, columns=[PRODUCT, NAME, "family", DESCRIPTION], dtype="str")
    return Dataset(INFO, _customers(path), products, events)


def _events(
    client: pd.Series,
    product: pd.Series,
    time: pd.Series,
    kind: np.ndarray | str = ACQUIRED,
    amount: pd.Series | float = np.nan,
) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            CUSTOMER: client.astype("Int64").astype("str"),
            PRODUCT: product.astype("str"),
            TIME: time,
            KIND: kind,
            AMOUNT: amount,
        }
    )
    return frame.astype({AMOUNT: "float64", KIND: "str"})


def _coded(frame: pd.DataFrame, column: str, codes: dict[str, str], file: str) -> pd.Series:
    cells = frame[column].fillna("").astype("str").str.strip()
    found = cells.map(codes)
    unknown = frame.index[found.isna()]
    if len(unknown):
        raise DataError(
            f"{file}, row {unknown[0] + 1}, column {column}: {cells.loc[unknown[0]]!r} is none of "
            f"{', '.join(repr(c) for c in codes)}; correct it."
        )
    return found


def _yymmdd(frame: pd.DataFrame, column: str, file: str) -> pd.Series:
    cells = frame[column].astype("str").str.strip().str.zfill(6)
    found = pd.to_datetime("19" + cells, format="%Y%m%d", errors="coerce")
    bad = frame.index[found.isna()]
    if len(bad):
        raise DataError(
            f"{file}, row {bad[0] + 1}, column {column}: {frame[column].loc[bad[0]]!r} is no date "
            "in the form YYMMDD; correct it."
        )
    return found


def _started(path: Path | None, order: pd.DataFrame) -> pd.Series:
    """Date of each order's first payment, NaT where the transactions don't show one."""
    if not (path and (find(path, "trans") or find(path, "trans_first_3MiB"))):
        return pd.Series(pd.NaT, index=order.index, dtype="datetime64[ns]")
    name = "trans" if find(path, "trans") else "trans_first_3MiB"
    paid = table(path, name, ("account_id", "date", "amount", "bank", "account"))
    paid = paid[paid["bank"].notna() & paid["account"].notna()]
    paid = paid.assign(
        when=_yymmdd(paid, "date", name),
        target=pd.to_numeric(paid["account"], errors="coerce"),
        bank=paid["bank"].astype("str").str.strip(),
    )
    first = paid.groupby(["account_id", "bank", "target", "amount"])["when"].min()
    keys = pd.MultiIndex.from_arrays(
        [order["account_id"], order["bank_to"].str.strip(), order["account_to"], order["amount"]]
    )
    return pd.Series(first.reindex(keys).to_numpy(), index=order.index)


def _customers(path: Path | None) -> pd.DataFrame:
    """Clients with sex and birth date (women's months are 50 higher) and their district."""
    client = table(path, "client", ("client_id", "birth_number", "district_id"))
    district = table(path, "district", ("A1", "A2", "A3", "A4", "A10", "A11", "A13"))
    number = client["birth_number"].astype("int64")
    woman = number // 100 % 100 > 50
    born = client.assign(born=np.where(woman, number - 5000, number))
    place = district.set_index("A1").reindex(client["district_id"])
    return pd.DataFrame(
        {
            CUSTOMER: client["client_id"].astype("str"),
            "sex": np.where(woman, "woman", "man"),
            "born": _yymmdd(born, "born", "client"),
            "district": place["A2"].astype("str").to_numpy(),
            "region": place["A3"].astype("str").to_numpy(),
            "district_inhabitants": place["A4"].to_numpy(dtype=np.float64),
            "district_urban_percent": place["A10"].to_numpy(dtype=np.float64),
            "district_salary": place["A11"].to_numpy(dtype=np.float64),
            "district_unemployed_percent": place["A13"].to_numpy(dtype=np.float64),
        }
    )
