"""The acts of the demo, one for each flow and one for finance and operations: what happens, what
has to come of it, and how it is shown at the end."""

from app.demo.acts.act import Act
from app.demo.acts.cases import CasesAct
from app.demo.acts.contract import ContractAct
from app.demo.acts.finance import FinanceAct
from app.demo.acts.gates import GatesAct
from app.demo.acts.projects import ProjectsAct
from app.demo.acts.records import RecordsAct
from app.demo.acts.requests import RequestsAct
from app.demo.acts.transactions import TransactionsAct
from app.demo.acts.vendors import VendorsAct
from app.demo.oracle import Expectation
from app.demo.pen import Pen
from app.demo.truth import Truth

#: In the order in which they are written: later acts add to the records of earlier ones.
ACTS: tuple[Act, ...] = (
    RecordsAct(),
    ContractAct(),
    CasesAct(),
    TransactionsAct(),
    ProjectsAct(),
    GatesAct(),
    VendorsAct(),
    RequestsAct(),
    FinanceAct(),
)


def written(pen: Pen) -> Truth:
    """Let everything happen."""
    for act in ACTS:
        act.write(pen)
    for act in ACTS:
        act.close(pen)
    return pen.truth


def expectations(truth: Truth) -> list[Expectation]:
    """What has to be true at the end, record by record."""
    found = [Expectation(life) for life in truth.lives]
    for act in ACTS:
        for one in found:
            act.expect(truth, one)
    return found


__all__ = ["ACTS", "Act", "expectations", "written"]
