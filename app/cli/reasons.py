"""What reasons of decisions and questions between records mean, in words, for ``rules explain``."""

from __future__ import annotations

from collections.abc import Mapping

from streams.flows.shape import Reason
from streams.messages.facts import ColumnsWanted, EventsWanted, Question, WorkspaceWanted

WORDS: Mapping[Reason, str] = {
    Reason.CONDITION_FALSE: "the rule's condition does not hold",
    Reason.CONDITION_UNDECIDED: "the condition cannot be told from the values: is one empty?",
    Reason.RECORD_DELETED: "the record was deleted",
    Reason.RECORD_UNKNOWN: "no change of the record ever came",
    Reason.NO_RELATED_RECORD: "its column for the other record is empty, or points to no known one",
    Reason.STAGE_NOT_REACHED: "the stage that the rule waits for is not reached",
    Reason.CASE_ENDED: "the case had ended before it needed a case file",
    Reason.NOT_REQUESTED: "nothing is asked for now",
    Reason.WAITING_FOR_DOCUMENTS: "it waits for what is filed in the workspace, to attach it",
    Reason.OPPORTUNITY_LOST: "the opportunity is lost",
    Reason.WAITING_FOR_COLUMNS: "columns that the rule needs did not come; Dynamics was asked "
    "for them, and who has no such row cannot tell them",
    Reason.WAITING_FOR_WORKSPACE: "it waits for its own workspace",
    Reason.WAITING_FOR_RELATED_RECORD: "it waits for another record that it points to",
    Reason.WAITING_FOR_RELATED_WORKSPACE: "it waits for the workspace of another record",
    Reason.WAITING_FOR_STAGE_NAME: "it waits for the name of its stage",
    Reason.WAITING_FOR_MEMBER: "it waits for who is to be a member of the workspace",
    Reason.MEMBER_HAS_NO_NAME: "a member has no name that Extended ECM could know "
    "(members in tables.yaml says by which column)",
    Reason.WAITING_FOR_OUTCOME: "it was asked for, and the outcome did not come yet",
    Reason.STEP_REFUSED: "a system refused it",
    Reason.WRITE_CONTESTED: "somebody else keeps writing something else; ours was given up",
    Reason.GATE_CLOSED: "the gate is closed: evidence is missing",
    Reason.GATE_EXPIRED: "the gate is closed: evidence has expired",
    Reason.GATE_VIOLATED: "it was finalised although the gate was not open",
    Reason.WAITING_FOR_ARTIFACTS: "it waits for evidence",
    Reason.ARTIFACT_EXPIRED: "evidence has expired",
    Reason.WAITING_FOR_APPROVAL: "it waits for an approval",
    Reason.APPROVAL_REFUSED: "the approval was refused",
    Reason.BLOCKED_BY_PEOPLE: "people hold it",
    Reason.ALL_TRUE: "all that the rule wants is true",
}


def asked_for(question: Question) -> str:
    """What a record asks of another, in words."""
    match question:
        case WorkspaceWanted():
            of = f" of rule {question.rule}" if question.rule else ""
            return f"the workspace{of} of {question.key}"
        case ColumnsWanted():
            return f"{', '.join(question.columns)} of {question.key}"
        case EventsWanted():
            return f"what happens in the workspace of {question.key}"
