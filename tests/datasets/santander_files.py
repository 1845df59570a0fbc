"""Small files in the layout of Kaggle's Santander data, with its blanks, NAs and dates."""

from __future__ import annotations

import csv
import io

from finrec.datasets.santander_panel import COLUMNS, FEATURES
from finrec.datasets.santander_products import PRODUCTS

PERSON = {
    "ind_empleado": "N", "pais_residencia": "ES", "sexo": "H", "age": " 35",
    "fecha_alta": "2012-08-10", "ind_nuevo": " 0", "antiguedad": "     35", "indrel": " 1",
    "ult_fec_cli_1t": "", "indrel_1mes": "1.0", "tiprel_1mes": "A", "indresi": "S", "indext": "N",
    "conyuemp": "", "canal_entrada": "KHE", "indfall": "N", "tipodom": " 1", "cod_prov": "15",
    "nomprov": "CORUÑA, A", "ind_actividad_cliente": " 1", "renta": "87218.1",
    "segmento": "02 - PARTICULARES",
}  # fmt: skip


def row(customer: str, month: str, held: str = "", **other: str) -> dict[str, str]:
    """One line of train_ver2: ``held`` lists endings of product columns, like ``cco tjcr``."""
    flags = {p: " 0" if p.endswith("nomina_ult1") else "0" for p in PRODUCTS}
    for short in held.split():
        flags[column(short)] = "1"
    return {"fecha_dato": month, "ncodpers": customer, **PERSON, **flags, **other}


def column(short: str) -> str:
    """The product column of a short name: ``cco`` is ind_cco_fin_ult1."""
    return next(p for p in PRODUCTS if p in (f"ind_{short}_fin_ult1", f"ind_{short}_ult1"))


def content(rows: list[dict[str, str]], test: bool = False) -> str:
    """The file's text: 48 columns, or the 24 of test_ver2."""
    out = io.StringIO()
    names = FEATURES if test else COLUMNS
    writer = csv.DictWriter(out, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
