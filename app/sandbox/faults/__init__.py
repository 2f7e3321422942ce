"""Bad days on demand: the fault switches that all simulated HTTP systems share.

In the process, beside a simulator:

    faults = Faults(kinds=("etag_race",))           # the built-in kinds, and one of its own
    app = FaultInjection(app, faults)               # around the whole ASGI application
    faults.add(Fault("latency", times=None, seconds=0.2))
    faults.add(Fault("status", times=3, status=429, retry_after=1))
    faults.add(Fault("lose_answer", method="POST", path="/accounts", every=5, times=None))
    faults.add(Fault("outage", lasting=10))
    ...
    faults.clear()

From outside, over HTTP on `ADMIN_PATH` of the same server (which no fault ever strikes):

    GET     the faults that wait, how often each kind has struck, and the kinds that there are
    POST    one fault, or a list of them, as JSON objects with the fields of `Fault`
    DELETE  clear them all, or with ``?kind=`` those of one kind

Kinds, in the order in which they are looked at when a request comes:

    outage       resets the connection, whatever is asked, until it is cleared or has lasted
    latency      waits ``seconds``, and goes on to the other faults
    slow_body    lets the body of the answer take ``seconds`` to arrive, and goes on
    cut_body     breaks the connection in the middle of the answer's body, and goes on
    reset        resets the connection before the request is looked at
    hang_up      closes it without an answer, also before
    status       answers ``status``; ``retry_after`` adds the header, ``html`` makes the body a
                 gateway's page, otherwise the simulator's ``render`` shapes it
    lose_answer  lets the request do all its work and closes the connection in place of the answer

A burst of throttling is a ``status`` 429 with ``times`` or ``lasting``. A kind that the simulator
names itself does nothing here: its code asks `Faults.take` at the right moment; and one that it
gives in ``at_once`` is done when it is added and waits for nothing.
"""

from app.sandbox.faults.injection import ADMIN_PATH, FaultInjection, told
from app.sandbox.faults.waiting import Fault, Faults, parse_faults

__all__ = ["ADMIN_PATH", "Fault", "FaultInjection", "Faults", "parse_faults", "told"]
