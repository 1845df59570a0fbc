"""A brief on one offer: at most three sentences, each tied to evidence, on one printable page."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from finrec.explain import codes
from finrec.explain.codes import Reason
from finrec.explain.explanation import Explanation

MOST = 3
STYLE = (
    "@page{size:A4;margin:18mm}body{background:#fff}"
    "body{font:11pt/1.5 system-ui,'Segoe UI','Noto Sans',sans-serif;"
    "color:#1a1a1a;max-width:174mm;margin:12mm auto;padding:0 5mm}h1{font-size:17pt;margin:0 0 2mm}"
    "h2{font-size:12pt;margin:6mm 0 1mm}table{border-collapse:collapse;width:100%;font-size:10pt}"
    "th,td{text-align:left;padding:1mm 3mm 1mm 0;border-bottom:1px solid #ccc;vertical-align:top}"
    "small,.note{color:#555;font-size:9pt}li{margin:1mm 0}@media print{button{display:none}"
    "body{margin:0;padding:0}}"
)


@dataclass(frozen=True)
class Sentence:
    """One sentence of a brief, with the ids of the evidence it rests on."""

    text: str
    code: str
    evidence_ids: tuple[str, ...]


@dataclass(frozen=True)
class Brief:
    """What to say about one offer.

    Args:
        customer: customer id; empty in the client-safe variant.
        product: product id.
        name: its name.
        sentences: at most three.
        checks: what the policy asks to be checked before offering.
        evidence: table of what the sentences cite: id, what, when.
        safe: whether it may be handed to the customer.
    """

    customer: str
    product: str
    name: str
    sentences: tuple[Sentence, ...]
    checks: tuple[str, ...]
    evidence: pd.DataFrame
    safe: bool


def brief(
    explanation: Explanation,
    gate_row: Sequence[str] = (),
    safe: bool = False,
    topics: Mapping[str, Sequence[str]] | None = None,
) -> Brief:
    """At most three sentences on an offer, from templates, each tied to evidence.

    Args:
        explanation: the evidence.
        gate_row: what the policy says of this customer and product, in sentences.
        safe: for the customer: nothing of other people, no scores, no internal checks.
        topics: never reasons; the built-in ones where not given.
    """
    found = codes.reasons(explanation, topics)
    chosen = _chosen(found, safe)
    sentences = tuple(Sentence(r.safe if safe else r.text, r.code, r.evidence) for r in chosen)
    cited = dict.fromkeys(e for s in sentences for e in s.evidence_ids)
    rows = [opened(explanation, e) for e in cited]
    table = pd.DataFrame(rows, columns=["id", "what", "when"])
    return Brief(
        "" if safe else explanation.customer,
        explanation.product,
        explanation.name,
        sentences,
        () if safe else tuple(gate_row),
        table,
        safe,
    )


def _chosen(found: Sequence[Reason], safe: bool) -> list[Reason]:
    """The strongest of each kind, then seconds, up to three."""
    usable = [r for r in found if r.safe or not safe]
    kinds = [r.code for r in usable]
    first = [r for i, r in enumerate(usable) if r.code not in kinds[:i]]
    return (first + [r for r in usable if r not in first])[:MOST]


def opened(explanation: Explanation, evidence: str) -> dict[str, str]:
    """The row behind an evidence id: id, what it is, when.

    Raises:
        KeyError: when the explanation has no such evidence.
    """
    if evidence not in codes.evidence_ids(explanation):
        raise KeyError(evidence)
    kind, _, name = evidence.partition("/")
    if kind == "event":
        row = explanation.events[explanation.events["position"] == int(name)].iloc[0]
        when = f"{row['time']:%d %b %Y}"
        return {"id": evidence, "what": f"{row['name']} ({row['kind']})", "when": when}
    if kind == "attribute":
        row = explanation.attributes[explanation.attributes["column"] == name].iloc[0]
        return {"id": evidence, "what": f"{name.replace('_', ' ')}: {row['value']}", "when": ""}
    if kind == "edge":
        names = dict(zip(explanation.nodes["id"], explanation.nodes["label"], strict=True))
        names |= dict(zip(explanation.paths["product_id"], explanation.paths["name"], strict=True))
        source, _, _ = name.rpartition(f">{explanation.product}")
        what = f"customers who have {names.get(source, source)} and {explanation.name}"
        return {"id": evidence, "what": what, "when": ""}
    return {"id": evidence, "what": "this customer", "when": ""}


def to_html(found: Brief, title: str = "", footer: str = "", button: bool = False) -> str:
    """One page to print, with nothing from elsewhere, every text escaped; a button prints it."""
    say = html.escape
    head = f"Why {found.name}" + ("" if found.safe else f" for customer {found.customer}")
    lines = "".join(f"<li>{say(s.text)}</li>" for s in found.sentences)
    body = [f"<h1>{say(head)}</h1>", f'<p class="note">{say(title)}</p>' if title else ""]
    body.append(f"<ul>{lines}</ul>" if lines else "<p>Nothing more can be said about it.</p>")
    if found.checks:
        checks = "".join(f"<li>{say(c)}</li>" for c in found.checks)
        body.append(f"<h2>To check before offering</h2><ul>{checks}</ul>")
    if not found.safe and len(found.evidence):
        rows = "".join(
            f"<tr><td>{say(r['id'])}</td><td>{say(r['what'])}</td><td>{say(r['when'])}</td></tr>"
            for r in found.evidence.to_dict("records")
        )
        head_row = "<tr><th>Id</th><th>What</th><th>When</th></tr>"
        body.append(f"<h2>Evidence</h2><table>{head_row}{rows}</table>")
    note = "This is information on how an offer was chosen, not advice and not a credit decision."
    body.append(f'<p class="note">{say(note)} {say(footer)}</p>')
    if button:
        body.insert(0, '<button onclick="window.print()">Print</button>')
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{say(head)}</title><style>{STYLE}</style></head><body>"
        f"{''.join(body)}</body></html>"
    )


def to_json(explanation: Explanation, found: Brief) -> str:
    """The whole explanation and its brief as JSON; what is unknown is null."""
    frames = ("events", "attributes", "paths", "nodes", "edges", "ledger")
    told: dict[str, Any] = {
        **{n: getattr(explanation, n) for n in ("customer", "product", "name", "score", "rank")},
        "gates": explanation.gates,
        **{n: json.loads(getattr(explanation, n).to_json(orient="records", date_format="iso"))
           for n in frames},
        "tokens": list(explanation.tokens),
        "attention": {n: np.round(v, 6).tolist() for n, v in explanation.attention.items()},
        "brief": {
            "safe": found.safe,
            "sentences": [asdict(s) for s in found.sentences],
            "checks": list(found.checks),
        },
    }  # fmt: skip
    return json.dumps(told, indent=1, ensure_ascii=False)
