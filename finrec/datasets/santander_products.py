"""The 24 products of the Santander files, described in our own words, and the 22 attributes.

The column names are those of Kaggle's ``train_ver2.csv``; the files themselves only say what each
column is in two or three words.
"""

from __future__ import annotations

import pandas as pd

from finrec.schema import DESCRIPTION, NAME, PRODUCT

CUSTOMER_COLUMN, MONTH_COLUMN = "ncodpers", "fecha_dato"

_PRODUCTS: tuple[tuple[str, str, str, str], ...] = (  # column, name, family, description
    (
        "ind_ahor_fin_ult1",
        "Savings account",
        "savings",
        "Account for putting money aside with free access to it.",
    ),
    (
        "ind_aval_fin_ult1",
        "Guarantee",
        "lending",
        "The bank answers to a third party for what the customer owes.",
    ),
    (
        "ind_cco_fin_ult1",
        "Current account",
        "account",
        "Everyday account for payments in and out, with a debit card.",
    ),
    (
        "ind_cder_fin_ult1",
        "Derivatives account",
        "investment",
        "Account for trading or hedging with derivatives such as options and futures.",
    ),
    (
        "ind_cno_fin_ult1",
        "Payroll account",
        "account",
        "Current account with better terms for customers whose salary is paid into it.",
    ),
    (
        "ind_ctju_fin_ult1",
        "Junior account",
        "account",
        "Account for children and teenagers, opened by their parents.",
    ),
    (
        "ind_ctma_fin_ult1",
        "Más Particular account",
        "account",
        "Bundled private account that rewards customers who use several products.",
    ),
    (
        "ind_ctop_fin_ult1",
        "Particular account",
        "account",
        "Private account with basic services for individuals.",
    ),
    (
        "ind_ctpp_fin_ult1",
        "Particular Plus account",
        "account",
        "Private account for individuals with more services than the basic one.",
    ),
    (
        "ind_deco_fin_ult1",
        "Short-term deposit",
        "savings",
        "Money locked for a few months at a fixed rate.",
    ),
    (
        "ind_deme_fin_ult1",
        "Medium-term deposit",
        "savings",
        "Money locked for about a year or two at a fixed rate.",
    ),
    (
        "ind_dela_fin_ult1",
        "Long-term deposit",
        "savings",
        "Money locked for several years at a fixed rate.",
    ),
    (
        "ind_ecue_fin_ult1",
        "e-account",
        "account",
        "Account run online only, with low or no fees.",
    ),
    (
        "ind_fond_fin_ult1",
        "Investment funds",
        "investment",
        "Shares in funds that hold stocks, bonds or both; their value can fall.",
    ),
    (
        "ind_hip_fin_ult1",
        "Mortgage",
        "lending",
        "Long loan for buying a home, secured by the home.",
    ),
    (
        "ind_plan_fin_ult1",
        "Pension plan",
        "investment",
        "Long-term saving for retirement with tax relief.",
    ),
    (
        "ind_pres_fin_ult1",
        "Personal loan",
        "lending",
        "Loan paid back in instalments, for example for a car or a renovation.",
    ),
    (
        "ind_reca_fin_ult1",
        "Tax payments",
        "payments",
        "Taxes are paid through the bank by standing instruction.",
    ),
    (
        "ind_tjcr_fin_ult1",
        "Credit card",
        "card",
        "Card with a credit limit, paid back monthly or in instalments.",
    ),
    (
        "ind_valo_fin_ult1",
        "Securities account",
        "investment",
        "Account that holds stocks, bonds and other securities.",
    ),
    (
        "ind_viv_fin_ult1",
        "Home savings account",
        "savings",
        "Saving towards buying a home.",
    ),
    (
        "ind_nomina_ult1",
        "Salary paid in",
        "payments",
        "The customer's salary arrives at this bank every month.",
    ),
    (
        "ind_nom_pens_ult1",
        "Pension paid in",
        "payments",
        "A pension or benefit arrives at this bank every month.",
    ),
    (
        "ind_recibo_ult1",
        "Direct debit",
        "payments",
        "Bills such as electricity or telephone are collected from the account.",
    ),
)
PRODUCTS = tuple(row[0] for row in _PRODUCTS)

# Column of the file: our name and what it is. Codes stay as the bank wrote them.
ATTRIBUTES: dict[str, tuple[str, str]] = {
    "ind_empleado": ("employee_status", "text"),  # A active, B former, F affiliate, N no, P passive
    "pais_residencia": ("country", "text"),
    "sexo": ("sex", "text"),  # H woman, V man
    "age": ("age", "years"),
    "fecha_alta": ("joined", "date"),  # first contract as first holder
    "ind_nuevo": ("new_customer", "text"),  # 1: joined within the last six months
    "antiguedad": ("months_with_bank", "count"),  # -999999 stands for unknown
    "indrel": ("primary_customer", "text"),  # 1 yes, 99 stopped during the month
    "ult_fec_cli_1t": ("last_day_as_primary", "date"),
    "indrel_1mes": ("relation_type", "code"),  # 1 primary, 2 co-owner, 3/4 former, P potential
    "tiprel_1mes": ("relation_state", "text"),  # A active, I inactive, P former, R potential
    "indresi": ("lives_in_country", "text"),  # S yes, N no
    "indext": ("born_abroad", "text"),  # S yes, N no
    "conyuemp": ("spouse_of_employee", "text"),
    "canal_entrada": ("joined_through", "text"),  # channel code
    "indfall": ("deceased", "text"),  # S yes, N no
    "tipodom": ("address_type", "text"),
    "cod_prov": ("province_code", "text"),
    "nomprov": ("province", "text"),
    "ind_actividad_cliente": ("active", "text"),  # 1 yes, 0 no
    "renta": ("household_income", "amount"),  # gross, a year
    "segmento": ("segment", "text"),  # 01 top, 02 individuals, 03 graduates
}
# What a month after the test could not have been changed by what was bought in it.
FIXED = (
    "pais_residencia", "sexo", "age", "fecha_alta", "indext", "canal_entrada", "cod_prov",
    "nomprov",
)  # fmt: skip


def products() -> pd.DataFrame:
    """The products table: id (the file's column), name, description, family."""
    frame = pd.DataFrame(_PRODUCTS, columns=[PRODUCT, NAME, "family", DESCRIPTION], dtype="str")
    return frame[[PRODUCT, NAME, DESCRIPTION, "family"]]
