"""What a column looks like in a sample of its cells, and what its name says."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd
import pyarrow.parquet as pq

from finrec.intake.tables import Raw
from finrec.intake.values import BUY, NO, SELL, UNKNOWN_NUMBER, YES, date_formats, number

SAMPLE = 20_000  # rows looked at
DISTINCT = 2_000  # distinct cells of a column looked at
_NAMES: dict[str, str] = {
    "customer": r"customer|client|cust|cliente|kunde|user|member|ncodpers|reviewer|household|"
    r"person|party|investor|subscriber|holder|account|konto|cuenta|"
    r"顧客|会員|お客様|口座|客户|客戶|用户|고객|عميل|клиент",
    "product": r"prod|item|isin|ticker|symbol|asin|sku|fund|asset|security|instrument|article|"
    r"offering|wkn|cusip|商品|製品|銘柄|产品|產品|상품|منتج|продукт",
    "date": r"date|time|fecha|datum|day|month|mes|monat|period|when|timestamp|purchased|bought|"
    r"(?<![a-z])(ts|epoch)(ms)?(?![a-z])|日付|取引日|年月日|日時|日期|时间|날짜|일자|تاريخ|дата",
    "amount": r"amount|betrag|importe|total|paid|spent|premium|monto|sum|volume|montant|"
    r"金額|金额|금액|مبلغ|сумма",
    "price": r"price|close|nav|kurs|quote|precio|adj|価格|价格|가격|سعر|цена",
    "kind": r"kind|action|side|direction|transactiontype|eventtype|operation|buysell|event",
    "name": r"productname|name|title|bezeichnung|nombre|label|assetname|名称|商品名|产品名|"
    r"이름|اسم|название",
    "text": r"description|comment|note|text|remark|review|message|beschreibung|descripcion|"
    r"説明|描述|설명|وصف|описание",
    "target": r"target|to|friend|related|linkedto|spouse|referred",
}
IDENTIFIER = re.compile(
    r"(^|[^a-z])(id|no|nr|num|number|code|key|cod|ref)([^a-z]|$)|id$|"
    r"番号|コード|编号|編號|번호|코드|رقم|номер|код"
)
_ACTIONS = frozenset({*BUY, *SELL} - {"1", "-1"})


@dataclass(frozen=True)
class Look:
    """What the cells of a column look like in a sample."""

    name: str
    plain: str  # lower case, letters and digits only, of any script
    words: str  # lower case
    rows: int
    known: int
    distinct: int
    numbers: float
    dates: float
    formats: tuple[str, ...]
    doubt: bool
    yes_no: bool
    blanks: float
    length: float
    actions: float

    def named(self, role: str) -> float:
        """How much the name says that it is that: 1 the whole name, 0.6 a part of it."""
        pattern = _NAMES[role]
        whole = f"({pattern})(s|_?id|_?no|_?code)?"
        if re.fullmatch(whole, self.words.replace(" ", "_")) or re.fullmatch(whole, self.plain):
            return 1.0
        if role in ("target",):
            return 0.0
        return 0.6 if re.search(pattern, self.plain) else 0.0


def sample(raw: Raw) -> pd.DataFrame:
    """The first ``SAMPLE`` rows as text, in columns named c0, c1 and so on."""
    frame = pq.ParquetFile(raw.path)
    first = next(frame.iter_batches(batch_size=SAMPLE), None)
    cells = [f"c{i}" for i in range(len(raw.columns))]
    if first is None:
        return pd.DataFrame({c: pd.Series(dtype="str") for c in cells})
    return first.to_pandas()[cells]


def look_at(name: str, cells: pd.Series, raw: Raw) -> Look:
    """What the cells of a column look like."""
    known = cells[~cells.str.lower().isin(UNKNOWN_NUMBER)]
    distinct = known.drop_duplicates()
    some = distinct.head(DISTINCT).tolist()
    lower = {c.lower() for c in some}
    numbers = sum(number(c, raw.format.decimal) is not None for c in some) / max(len(some), 1)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower().replace("_", " ").strip()
    day_first = raw.format.decimal == "," or raw.format.separator == ";"
    formats, dates, doubt = date_formats(some[:500], day_first)
    return Look(
        name=name,
        plain=re.sub(r"[\W_]", "", name.lower()),
        words=words,
        rows=len(cells),
        known=len(known),
        distinct=len(distinct),
        numbers=numbers,
        dates=dates,
        formats=formats,
        doubt=doubt,
        yes_no=bool(lower) and lower <= (YES | NO),
        blanks=float((cells == "").mean()) if len(cells) else 0.0,
        length=float(known.str.len().mean()) if len(known) else 0.0,
        actions=sum(c in _ACTIONS for c in lower) / max(len(lower), 1),
    )
