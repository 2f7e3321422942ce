"""What a document counts as, what an artifact waits for, and until when it is good."""

from __future__ import annotations

from typing import Any

import pytest

from streams.flows.artifacts import Artifact, ArtifactState, Checklist, checklist
from streams.flows.conditions import context
from streams.rules import ArtifactRule
from tables.evidence import EvidenceRow, ItemEvent
from tests.streams.flows.views import view
from tests.streams.gate_rules import GATE_RULE
from tests.streams.samples import START_MS, ref

CLAIM = ref("new_claim", 31)
RULE = GATE_RULE.name
DAY = 86_400_000
#: START_MS is in the evening of 2023-11-14 (UTC).
TODAY, TOMORROW, YESTERDAY = "2023-11-14", "2023-11-15", "2023-11-13"

Told = tuple[int, str, int] | tuple[int, str, int, dict[str, Any]]


def filed(*told: Told, kind: str = "Certificate") -> EvidenceRow:
    """Events of documents: id, kind, second, and what else they say; the type is said by the first
    event of each."""
    row = EvidenceRow()
    for number, happened, second, *said in told:
        attributes = {"document_type": kind, **(said[0] if said else {})}
        event = ItemEvent(
            at_ms=START_MS + second * 1000, event_id=f"{number}-{second}", attributes=attributes
        )
        row = row.reported(RULE, number, happened, event)
    return row


def judged(evidence: EvidenceRow, at_ms: int = START_MS + DAY // 100, **rule: Any) -> Artifact:
    one = ArtifactRule.model_validate({"type": "Certificate", **rule})
    seen = view(CLAIM, {"new_amount": None}, evidence=evidence)
    return checklist(seen, RULE, [one], context(seen, GATE_RULE), at_ms).artifacts[0]


@pytest.mark.parametrize(
    ("told", "rule", "state"),
    [
        pytest.param([], {}, "missing", id="never filed"),
        pytest.param([(1, "added", 0)], {}, "not approved", id="filed"),
        pytest.param([(1, "added", 0)], {"approval": False}, "present", id="needs no approval"),
        pytest.param([(1, "added", 0), (1, "approved", 1)], {}, "present", id="approved"),
        pytest.param([(1, "approved", 1)], {}, "present", id="approved, filing never told"),
        pytest.param([(1, "approved", 1), (1, "rejected", 2)], {}, "rejected", id="rejected"),
        pytest.param(
            [(1, "approved", 1), (1, "version_added", 2)], {}, "not approved", id="new version"
        ),
        pytest.param(
            [(1, "version_added", 2), (1, "approved", 1)], {}, "not approved", id="in any order"
        ),
        pytest.param(
            [(1, "approved", 1), (1, "version_added", 2), (1, "approved", 3)],
            {},
            "present",
            id="new version approved",
        ),
        pytest.param([(1, "approved", 1), (1, "expired", 2)], {}, "expired", id="expired"),
        pytest.param([(1, "approved", 1), (1, "deleted", 2)], {}, "missing", id="removed"),
        pytest.param(
            [(1, "approved", 1), (1, "renamed", 2)], {}, "present", id="a new name changes nothing"
        ),
        pytest.param(
            [(1, "rejected", 1), (2, "added", 2)], {}, "not approved", id="the nearest of two"
        ),
        pytest.param([(1, "approved", 1)], {"count": 2}, "missing", id="one of two"),
        pytest.param(
            [(1, "approved", 1), (2, "approved", 1)], {"count": 2}, "present", id="two of two"
        ),
        pytest.param(
            [(1, "approved", 1), (2, "added", 1)], {"count": 2}, "not approved", id="one waits"
        ),
    ],
)
def test_an_artifact_is_what_its_documents_make_it(
    told: list[Told], rule: dict[str, Any], state: str
) -> None:
    assert judged(filed(*told), **rule).state == state


@pytest.mark.parametrize(
    ("says", "state", "until"),
    [
        pytest.param({}, "without expiry date", None, id="does not say"),
        pytest.param({"expires_on": "soon"}, "without expiry date", None, id="no date"),
        pytest.param({"expires_on": 20231231}, "without expiry date", None, id="no text"),
        pytest.param({"expires_on": YESTERDAY}, "expired", None, id="over"),
        pytest.param(
            {"expires_on": TOMORROW}, "present", 1_700_092_800_000, id="a day: to its end"
        ),
        pytest.param(
            {"expires_on": "2023-11-16T12:00:00Z"}, "present", 1_700_136_000_000, id="a moment"
        ),
        pytest.param(
            {"expires_on": "9999-12-31"},
            "present",
            253402214400000,
            id="the last of all days: its beginning",
        ),
    ],
)
def test_a_date_of_expiry_counts_to_the_end_of_its_day(
    says: dict[str, Any], state: str, until: int | None
) -> None:
    found = judged(filed((1, "approved", 0, says)), expires_on="expires_on")
    assert (found.state, found.until_ms) == (state, until)


def test_it_is_good_on_its_last_day_and_not_on_the_next() -> None:
    evidence = filed((1, "approved", 0, {"expires_on": TODAY}))
    midnight = 1_700_006_400_000
    assert judged(evidence, midnight - 1, expires_on="expires_on").state == "present"
    assert judged(evidence, midnight, expires_on="expires_on").state == "expired"


def test_a_span_begins_when_the_newest_version_was_filed() -> None:
    rule = {"expires_after": "1 day", "approval": False}
    once = filed((1, "added", 0))
    again = filed((1, "added", 0), (1, "version_added", 3600))
    after = START_MS + DAY + 1000
    assert judged(once, after, **rule).state == "expired"
    assert judged(again, after, **rule).state == "present"
    assert judged(again, after, **rule).until_ms == START_MS + 3_600_000 + DAY


def test_more_than_enough_lasts_until_too_few_are_left() -> None:
    evidence = filed(
        (1, "approved", 0, {"expires_on": "2023-11-20"}),
        (2, "approved", 0, {"expires_on": "2023-11-30"}),
        (3, "approved", 0, {"expires_on": "2023-11-25"}),
    )
    found = judged(evidence, expires_on="expires_on", count=2)
    assert found.documents == (1, 2, 3)
    assert found.until_ms == 1_700_956_800_000  # the end of 2023-11-25


def test_documents_of_another_type_or_without_one_count_for_nothing() -> None:
    other = filed((1, "approved", 0), kind="Form")
    bare = EvidenceRow().reported(RULE, 1, "approved", ItemEvent(at_ms=START_MS, event_id="1"))
    elsewhere = EvidenceRow().reported(
        "another-rule", 1, "approved", ItemEvent(attributes={"document_type": "Certificate"})
    )
    assert {judged(row).state for row in (other, bare, elsewhere)} == {ArtifactState.MISSING}


@pytest.mark.parametrize(
    ("amount", "needed"),
    [("5", False), ("50", True), (None, False)],
)
def test_a_condition_that_says_no_needs_no_artifact(amount: str | None, needed: bool) -> None:
    seen = view(CLAIM, {"new_amount": amount})
    found = checklist(seen, RULE, GATE_RULE.artifacts, context(seen, GATE_RULE))
    assert ("Opinion" in [a.rule.title for a in found.artifacts]) is needed


def test_a_condition_that_cannot_be_told_needs_it() -> None:
    one = ArtifactRule.model_validate({"type": "Opinion", "when": "record.new_amount > 10.0"})
    seen = view(CLAIM, {"new_amount": None})
    assert len(checklist(seen, RULE, [one], context(seen, GATE_RULE)).artifacts) == 1


def test_a_checklist_says_in_words_what_is_missing() -> None:
    rules = [
        ArtifactRule.model_validate(entry)
        for entry in (
            {"type": "Form", "approval": False},
            {"type": "Certificate"},
            {"type": "Photo", "label": "Two photos", "count": 2},
        )
    ]
    evidence = filed((1, "added", 0), kind="Form")
    evidence = evidence.with_parts(filed((2, "rejected", 0)).changed)
    seen = view(CLAIM, {}, evidence=evidence)
    found = checklist(seen, RULE, rules, context(seen, GATE_RULE))
    assert found.words == "Certificate (rejected); Two photos"
    assert (found.progress, found.complete, found.expired) == ("1 of 3", False, False)
    assert found.documents == (1,)
    assert Checklist(()).complete


@pytest.mark.parametrize(
    ("told", "count"),
    [
        pytest.param([(1, "added", 0, {"expires_on": "2023-11-20"})], 1, id="not approved"),
        pytest.param([(1, "approved", 0, {"expires_on": "2023-11-20"})], 2, id="one of two"),
    ],
)
def test_what_lacks_something_changes_when_a_document_of_it_expires(
    told: list[Told], count: int
) -> None:
    evidence = filed(*told)
    before = judged(evidence, expires_on="expires_on", count=count)
    assert before.until_ms == 1_700_524_800_000  # the end of 2023-11-20
    after = judged(evidence, before.until_ms, expires_on="expires_on", count=count)
    assert before.state != after.state == ArtifactState.EXPIRED
    assert after.until_ms is None
