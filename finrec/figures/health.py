"""How data, model and work stand, in sentences with a way on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

from finrec.figures import formats

OLD_DAYS = 90
Level = Literal["good", "watch", "bad"]
ICONS: dict[Level, str] = {
    "good": ":material/check_circle:", "watch": ":material/info:", "bad": ":material/error:",
}  # fmt: skip


class HealthLike(Protocol):
    """What is read of :class:`finrec.pipeline.health.Health`."""

    @property
    def last(self) -> date | None:
        """Day of the latest event."""

    @property
    def without_events(self) -> int:
        """Customers without any event."""

    @property
    def newer(self) -> str | None:
        """Snapshot that the model has not seen."""

    @property
    def erased(self) -> bool:
        """Whether the model learned from a customer who was erased since."""

    @property
    def measured(self) -> bool:
        """Whether the model keeps what it foretold of validation cases."""

    @property
    def signed(self) -> bool:
        """Whether the model is signed off."""

    @property
    def jobs(self) -> dict[str, int]:
        """Trainings by state."""

    @property
    def policy(self) -> str:
        """Title of the policy in force."""

    @property
    def own_policy(self) -> bool:
        """Whether it is the bank's own."""


@dataclass(frozen=True)
class Finding:
    """One sentence, how good it is, and the screen where something can be done about it."""

    level: Level
    sentence: str
    page: str = ""
    label: str = ""


def findings(found: HealthLike, model: bool, today: date) -> list[Finding]:
    """What there is to say, of data, model, work and policy; what wants doing comes first."""
    said = [*_data(found, today), *(_model(found) if model else []), *_work(found)]
    if not found.own_policy:
        said.append(Finding("watch", "The built-in policy is in force; your bank's own rules would "
                            "take its place.", "pages/policy.py", "Policy"))  # fmt: skip
    else:
        said.append(Finding("good", f"The policy in force is “{found.policy}”."))
    return sorted(said, key=lambda f: ("bad", "watch", "good").index(f.level))


def _data(found: HealthLike, today: date) -> list[Finding]:
    if found.last is None:
        return [Finding("bad", "The data hold no event.", "pages/upload.py", "Upload")]
    age, when = (today - found.last).days, formats.day(found.last)
    if age > OLD_DAYS:
        said = [Finding("watch", f"The data end on {when}: what is timely is judged as of then.",
                        "pages/upload.py", "Bring newer data")]  # fmt: skip
    else:
        said = [Finding("good", f"The data reach to {when}.")]
    if found.without_events:
        said.append(Finding("good", f"{formats.counted(found.without_events, 'customer')} without "
                            "an event: judged by attributes and by what many take."))  # fmt: skip
    return said


def _model(found: HealthLike) -> list[Finding]:
    train = ("pages/train.py", "Train again")
    said = []
    if found.erased:
        said.append(Finding("bad", "A customer was erased whom this model had learned from.",
                            *train))  # fmt: skip
    if found.newer:
        said.append(Finding("watch", "Newer data are here than this model has seen.", *train))
    if not found.measured:
        said.append(Finding("watch", "This model was trained by an earlier version and keeps no "
                            "measure of its validation cases: it may offer nothing.",
                            *train))  # fmt: skip
    if found.signed:
        said.append(Finding("good", "The model is signed off."))
    else:
        said.append(Finding("watch", "Nobody has signed this model off for use with customers.",
                            "pages/records.py", "Sign-offs"))  # fmt: skip
    return said


def _work(found: HealthLike) -> list[Finding]:
    said = []
    if found.jobs.get("failed"):
        count = formats.counted(found.jobs["failed"], "training")
        said.append(Finding("bad", f"{count} failed.", "pages/train.py", "See why"))
    busy = under_way(found.jobs)
    if busy:
        said.append(Finding("watch", f"{busy[0].upper()}{busy[1:]}.", "pages/train.py", "Watch"))
    return said


def under_way(states: dict[str, int]) -> str:
    """``2 trainings are running, 1 waits``; empty where there is none."""
    running, waiting = states.get("running", 0), states.get("queued", 0)
    words = []
    if running:
        words.append(formats.counted(running, "training is running", "trainings are running"))
    if waiting and running:
        words.append(f"{formats.number(waiting)} {'waits' if waiting == 1 else 'wait'}")
    elif waiting:
        words.append(formats.counted(waiting, "training waits", "trainings wait"))
    return ", ".join(words)
