"""Commands about outreach: policy, campaign, batch, records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from finrec.commands import screen

Who = Annotated[str, typer.Option(help="Who does this; default: this account.")]


def policy(
    action: Annotated[str, typer.Argument(help="check, show, default, save or reset.")] = "check",
    file: Annotated[
        Path | None, typer.Argument(help="TOML file; default: the one in force.")
    ] = None,
    who: Who = "",
    as_json: screen.Json = False,
) -> None:
    """Check a policy file, show the one in force or the built-in one, or put one in force."""
    from finrec.pipeline import outreach
    from finrec.serving import policy as rules

    if action not in ("check", "show", "default", "save", "reset"):
        raise typer.BadParameter("The action is check, show, default, save or reset.")
    if action in ("show", "default"):
        print(outreach.policy_text() if action == "show" else outreach.default_policy_text())
        return
    if action == "save" and file is None:
        raise typer.BadParameter("save needs a FILE.")
    if action == "reset":
        found = outreach.reset_policy(who)
    else:
        found = rules.load(file)
        if action == "save" and file is not None:
            found = outreach.save_policy(file.read_text(encoding="utf-8"), who)
    name = str(file) if file and action != "reset" else "the policy in force"
    told = {"title": found.title, "valid": True, "own rules": len(found.rules), "file": name}
    screen.say(as_json, told, f"{name}: {found.title!r} is valid. {found.scope}")


def campaign(
    run: Annotated[str, typer.Argument(help="Run; or `list`, to see what was saved.")],
    product: Annotated[list[str] | None, typer.Option(help="Product id; may be repeated.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="column=value; customers for whom it holds.")
    ] = None,
    budget: Annotated[int, typer.Option(min=1, help="Most offers of each product.")] = 100,
    cap: Annotated[int, typer.Option(min=1, help="Most offers a customer.")] = 1,
    total: Annotated[int | None, typer.Option(min=1, help="Most offers in all.")] = None,
    strictest: Annotated[str, typer.Option(help="ok, warn or needs advice.")] = "warn",
    most_share: Annotated[float, typer.Option(help="Most of all offers for one product.")] = 1.0,
    parity: Annotated[float, typer.Option(help="Least part of its fair share a group gets.")] = 0.0,
    group: Annotated[str | None, typer.Option(help="Column of customers for --parity.")] = None,
    save: Annotated[str | None, typer.Option(help="Keep it under this name.")] = None,
    outcome: Annotated[str | None, typer.Option(help="What came of this saved campaign.")] = None,
    snapshot: Annotated[str | None, typer.Option(help="Later snapshot, for --outcome.")] = None,
    out: Annotated[Path | None, typer.Option(help="CSV, XLSX or Parquet file.")] = None,
    who: Who = "",
    as_json: screen.Json = False,
) -> None:
    """Plan a campaign: who gets which offer within budgets and caps, and how many will take it."""
    from finrec import pipeline
    from finrec.pipeline import outreach
    from finrec.serving import export

    if outcome is not None:
        came = outreach.outcome(outcome, snapshot)
        screen.say(as_json, {**vars(came), "forecast": vars(came.forecast)}, came.sentence)
        return
    if run == "list":
        saved = outreach.campaigns()
        if as_json:
            screen.say(True, {"campaigns": saved}, "")
        else:
            screen.table(saved)
        return
    if not product:
        raise typer.BadParameter("Give --product ID, once or more.")
    if out is not None:
        export.check(out)
    recommender = pipeline.load(run)
    only: dict[str, list[str]] = {}
    for condition in where or []:
        column, sign, value = condition.partition("=")
        if not sign:
            raise typer.BadParameter(f"{condition!r} is not column=value.")
        only.setdefault(column, []).append(value)
    customers = outreach.segment(recommender, {k: tuple(v) for k, v in only.items()})
    found = outreach.plan(
        recommender, product, customers if only else None, budget, cap, total, strictest,
        most_share=most_share, parity=parity, group=group,
    )  # fmt: skip
    if save:
        outreach.save_campaign(found, save, who)
    if out is not None:
        outreach.export_campaign(found, out, who)
    told = found.forecast
    sentence = (
        f"{len(found.frame):,} offers to {found.reachable:,} reachable of {found.considered:,} "
        f"customers; {told.expected:.1f} take-ups expected within "
        f"{found.settings['window_days']} days ({told.low} to {told.high}, {told.level:.0%}); "
        + ("nothing better exists within the limits." if found.optimal else
           f"at most {found.bound:,.0f} is possible, {found.value:,.0f} was found.")
    )  # fmt: skip
    brief = {"offers": len(found.frame), "forecast": vars(told), "value": found.value,
             "optimal": found.optimal, "considered": found.considered,
             "reachable": found.reachable, "saved": save,
             "out": str(out) if out else None}  # fmt: skip
    screen.say(as_json, brief, sentence)


def batch(
    run: Annotated[str | None, typer.Argument(help="Run; or `list`.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Products a customer.")] = 5,
    suffix: Annotated[str, typer.Option(help=".parquet or .csv")] = ".parquet",
    name: Annotated[str | None, typer.Option(help="Name of the batch.")] = None,
    work: Annotated[str | None, typer.Option(help="Do what is left of this batch.")] = None,
    as_json: screen.Json = False,
) -> None:
    """Score everybody: what to offer each customer, behind the policy, into one file."""
    import sys

    from finrec.pipeline import outreach

    if run == "list":
        every = [vars(b) for b in outreach.batches()]
        lines = [f"{b['name']}: {b['state']}, {b['done']:,} of {b['customers']:,}" for b in every]
        screen.say(as_json, {"batches": every}, "\n".join(lines) or "No batches yet.")
        return
    if (run is None) == (work is None):
        raise typer.BadParameter("Give a RUN, or --work NAME to go on with a batch.")

    def tell(done: int, total: int) -> None:
        print(f"{done:,} of {total:,} customers", file=sys.stderr)

    try:
        found = (
            outreach.work_batch(work, tell)
            if work is not None
            else outreach.batch(str(run), k, suffix, name, tell)
        )
    except outreach.Cancelled:
        print("Cancelled; what is done stays, resume it to go on.", file=sys.stderr)
        raise typer.Exit(3) from None
    screen.say(as_json, vars(found), f"{found.customers:,} customers in {found.file}.")


def records(
    text: Annotated[str, typer.Argument(help="Stands anywhere in a record; empty: all.")] = "",
    kind: Annotated[list[str] | None, typer.Option(help="Kind; may be repeated.")] = None,
    customer: Annotated[str | None, typer.Option(help="Customer id.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    out: Annotated[Path | None, typer.Option(help="CSV, XLSX or Parquet file.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check every record's seal.")] = False,
    undo: Annotated[str | None, typer.Option(help="Take the record with this id back.")] = None,
    off_policy: Annotated[
        str | None, typer.Option(help="Judge this run on the decisions recorded.")
    ] = None,
    feedback: Annotated[
        str | None, typer.Option(help="New snapshot of this one with accepted offers as labels.")
    ] = None,
    as_json: screen.Json = False,
) -> None:
    """Search, export, verify or take back records; learn from them; judge a run on them."""
    from finrec.pipeline import outreach

    if verify:
        found = outreach.verify_records()
        good = "All seals hold." if not found.broken else f"Broken at {found.broken[:10]}."
        text_ = f"{found.entries:,} records, {found.erased:,} erased. {good}"
        screen.say(as_json, vars(found), text_)
        raise typer.Exit(0 if not found.broken else 1)
    if undo is not None:
        outreach.undo(undo)
        screen.say(as_json, {"undone": undo}, f"Record {undo} is taken back.")
    elif off_policy is not None:
        judged = outreach.off_policy(off_policy)
        told = [vars(e) for e in judged.comparison.estimates]
        screen.say(as_json, {"estimates": told, "sentence": judged.sentence}, judged.sentence)
    elif feedback is not None:
        made = outreach.with_feedback(feedback)
        labels = made.lineage["feedback"]["labels"]
        screen.say(as_json, {"snapshot": made.ref, "labels": labels},
                   f"{made.ref} holds {labels:,} accepted offers as labels.")  # fmt: skip
    elif out is not None:
        number = outreach.export_records(out, text=text, kinds=tuple(kind or ()), customer=customer)
        screen.say(as_json, {"records": number, "out": str(out)}, f"{number:,} records in {out}.")
    else:
        rows = outreach.find_records(text, tuple(kind or ()), customer=customer, limit=limit)
        if as_json:
            screen.say(True, {"records": rows}, "")
        else:
            shown = ["time", "who", "kind", "customer_id", "product_id", "reason_code", "note"]
            screen.table(rows[shown])


def tradeoff(
    run: str,
    k: Annotated[int, typer.Option("-k", min=2, help="Places of a list.")] = 10,
    most: Annotated[int, typer.Option(min=0, help="Cases drawn at random; 0: all.")] = 5000,
    out: Annotated[Path | None, typer.Option(help="CSV, XLSX or Parquet file.")] = None,
    as_json: screen.Json = False,
) -> None:
    """What re-ranking for coverage, variety or value costs, measured on held-out cases."""
    from finrec.pipeline import outreach
    from finrec.serving import export

    if out is not None:
        export.check(out)
    frame = outreach.trade_off(run, k, most=most or None)
    if out is not None:
        export.write(frame, out)
    if as_json:
        screen.say(True, {"run": run, "settings": frame}, "")
    else:
        screen.table(frame.drop(columns=["front"]).round(4).astype("str"))


COMMANDS = (policy, campaign, batch, records, tradeoff)
