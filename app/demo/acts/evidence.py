"""Evidence as people file it: which documents, what becomes of them, what is missing at the end.

Written a second time, as a person would read it off the rules; shared by the acts of gates and
vendors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.demo.pen import Pen
from app.demo.truth import Life
from app.sandbox.events.ecm import EcmHappening

_GOOD_UNTIL, _OVER_SINCE = "2099-12-31", "2020-06-30"
#: What may become of a document, and the events that lead there.
_FATES = {
    "good": ("added", "approved"),
    "renewed": ("added", "rejected", "version_added", "approved"),
    "unapproved": ("added", "approved", "version_added"),
    "rejected": ("added", "rejected"),
    "removed": ("added", "approved", "deleted"),
    "over": ("added", "approved"),
    "absent": (),
}


@dataclass(frozen=True)
class Needed:
    """An artifact as the rules ask for it."""

    type: str
    approval: bool = True
    count: int = 1
    dated: bool = False
    label: str = ""


def parted_accounts(pen: Pen) -> tuple[list[Life], list[Life]]:
    """The accounts that are onboarded as customers, and those that are vendors and not closed.

    Neither are the first, which others are merged into, nor the last, which are merged or deleted.
    """
    accounts = list(pen.truth.of("account"))[2 * pen.size.leaving : -2 * pen.size.leaving]
    customers, others = accounts[: pen.size.others], accounts[pen.size.others :]
    vendors = [account for account in others if account.row["statecode"] == 0]
    return customers, vendors[: pen.size.others]


def file(
    pen: Pen,
    life: Life,
    business_object: str,
    needed: Iterable[Needed],
    fate: str,
    home: str | None = None,
) -> None:
    """All artifacts are filed and approved, but for the last of those that this fate can meet.

    ``home``: the type of the workspace that people have filed them in already.
    """
    place = (home, business_object, life.id) if home else None
    artifacts = list(needed)
    able = [a for a in artifacts if _can(a, fate)]
    unlucky = able[-1] if able else None
    for artifact in artifacts:
        for copy in range(artifact.count):
            own = fate if artifact is unlucky and copy == 0 else "good"
            document = pen.paper(f"{artifact.type}.pdf", place)
            _filed(pen, life, business_object, artifact, document, own)


def _can(artifact: Needed, fate: str) -> bool:
    if fate == "over":
        return artifact.dated
    return artifact.approval or fate in ("good", "removed", "absent")


def _filed(
    pen: Pen, life: Life, business_object: str, artifact: Needed, document: int, fate: str
) -> None:
    """What becomes of one document."""
    until = _OVER_SINCE if fate == "over" else _GOOD_UNTIL
    version = 0
    for event in _FATES[fate]:
        version += event in ("added", "version_added")
        said = {"expires_on": until} if artifact.dated else {}
        name = f"{artifact.type}.pdf"
        link = f"https://ecm.contoso.example/documents/{document}"
        pen.tell(
            life,
            f"document.{event}",
            business_object,
            document=(document, version, name, link),
            actor="gina.guard",
            document_type=artifact.type,
            **said,
        )


def missing(told: Iterable[EcmHappening], needed: Iterable[Needed]) -> list[str]:
    """What is not there at the end, in words; empty when all of it is."""
    newest: dict[int, EcmHappening] = {}
    for happening in told:
        if happening.document is not None:
            newest[happening.document[0]] = happening
    return [words for artifact in needed if (words := _lacks(artifact, newest.values()))]


def _lacks(artifact: Needed, newest: Iterable[EcmHappening]) -> str:
    name = artifact.label or artifact.type
    good, remarks = 0, set()
    for happening in newest:
        if happening.attributes["document_type"] != artifact.type:
            continue
        event = happening.event.removeprefix("document.")
        if event == "deleted":
            continue
        if event == "rejected":
            remarks.add("rejected")
        elif artifact.dated and happening.attributes["expires_on"] == _OVER_SINCE:
            remarks.add("expired")
        elif artifact.approval and event != "approved":
            remarks.add("not approved")
        else:
            good += 1
    if good >= artifact.count:
        return ""
    order = ("not approved", "rejected", "expired")
    remark = next((known for known in order if known in remarks), None)
    return f"{name} ({remark})" if remark else name


def words(lacking: list[str]) -> str | None:
    """What columns and attributes show of it."""
    return "; ".join(lacking) or None
