"""The server of the pages, and of the fault switches as JSON.

    GET     /                              the start page; /<system>, /<system>/... what it holds
    GET     /faults                        the faults of all systems, as JSON by system
    GET     /<system>/faults               those of one: waiting, struck, kinds
    POST    /<system>/faults               one fault or a list of them, as JSON
    DELETE  /<system>/faults?kind=         clear one kind, or all
    POST    /<system>/faults/bad-day       the faults of a bad day (`switches.bad_day`)
    GET     /token, /token/finance         a token for the Web API, for finance and operations, as
                                           the user "Developer"

The forms of the pages post to ``/<system>/faults/set``, ``clear`` and ``bad-day``, and to
``/content-server/decide`` for a workflow, and are led back.
It listens on the loopback interface and answers to names of that only; a form of another site is
refused, so that no page of the network can set faults through somebody's browser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

from app.sandbox import company
from app.sandbox.assembly import Sandbox
from app.sandbox.choice import TITLES, System
from app.sandbox.content_server import ApiError
from app.sandbox.pages import content_server, dataverse, finance, kafka
from app.sandbox.pages.dataverse import NotHere
from app.sandbox.pages.entra import entra_page
from app.sandbox.pages.html import Child, element
from app.sandbox.pages.layout import link
from app.sandbox.pages.parts import address, fault_note, fault_section, framed
from app.sandbox.pages.start import start_page
from app.sandbox.switches import Switches, bad_day, switches_of

T = TypeVar("T")

_WHOLE = frozenset({"times", "every", "status", "retry_after", "partition"})
_FRACTIONS = frozenset({"seconds", "lasting"})
_USUAL = (("times", 1), ("every", 1))


def pages_app(sandbox: Sandbox) -> Starlette:
    """The application of a sandbox that has started."""
    pages = Pages(sandbox, switches_of(sandbox))
    routes = [
        Route("/", pages.start),
        Route("/token", pages.token),
        Route("/token/finance", pages.finance_token),
        Route("/faults", pages.all_faults),
        Route("/dataverse/tables/{table}", pages.table),
        Route("/dataverse/tables/{table}/{row}", pages.row),
        Route("/finance/entities/{entity}", pages.entity),
        Route("/content-server/workspaces/{workspace:int}", pages.workspace),
        Route("/content-server/nodes/{node:int}", pages.node),
        Route("/content-server/decide", pages.decide, methods=["POST"]),
        Route("/kafka/topics/{topic}", pages.topic),
        Route("/{system}", pages.system),
        Route("/{system}/faults", pages.faults, methods=["GET", "POST", "DELETE"]),
        Route("/{system}/faults/{action}", pages.act, methods=["POST"]),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    return Starlette(
        routes=routes,
        middleware=[hosts],
        exception_handlers={NotHere: pages.not_here, 404: pages.no_page},
    )


class Pages:
    """The answers, each from the systems as they are at that moment."""

    def __init__(self, sandbox: Sandbox, switches: Mapping[System, Switches]) -> None:
        self._sandbox = sandbox
        self._switches = switches

    async def start(self, request: Request) -> Response:
        body = start_page(self._sandbox, self._switches, str(request.base_url))
        return self._page("Sandbox", body, "/")

    async def token(self, request: Request) -> Response:
        return self._token(_there(self._sandbox.dataverse).url)

    async def finance_token(self, request: Request) -> Response:
        return self._token(_there(self._sandbox.finance).url)

    def _token(self, resource: str) -> Response:
        token = _there(self._sandbox.entra).issue(company.DEVELOPER.client_id, resource)
        return PlainTextResponse(token, headers={"Cache-Control": "no-store"})

    async def system(self, request: Request) -> Response:
        system = self._system(request)
        contents: dict[System, Callable[[], Child]] = {
            System.KAFKA: lambda: kafka.broker_page(_there(self._sandbox.broker)),
            System.ENTRA: lambda: entra_page(_there(self._sandbox.entra)),
            System.DATAVERSE: lambda: dataverse.tables_page(_there(self._sandbox.dataverse)),
            System.FINANCE: lambda: finance.entities_page(_there(self._sandbox.finance)),
            System.CONTENT_SERVER: lambda: content_server.workspaces_page(
                _there(self._sandbox.content_server)
            ),
        }
        told = self._switches[system].told()
        body = [fault_note(told), contents[system](), fault_section(system, told)]
        return self._page(TITLES[system], body, address(system))

    async def table(self, request: Request) -> Response:
        name = request.path_params["table"]
        body = dataverse.table_page(_there(self._sandbox.dataverse), name)
        return self._page(name, [_back(System.DATAVERSE), body])

    async def row(self, request: Request) -> Response:
        organisation = _there(self._sandbox.dataverse)
        title, body = dataverse.row_page(
            organisation, request.path_params["table"], request.path_params["row"]
        )
        return self._page(title, [_back(System.DATAVERSE), body])

    async def entity(self, request: Request) -> Response:
        name = request.path_params["entity"]
        body = finance.entity_page(_there(self._sandbox.finance), name)
        return self._page(name, [_back(System.FINANCE), body])

    async def workspace(self, request: Request) -> Response:
        server = _there(self._sandbox.content_server)
        title, body = content_server.workspace_page(server, request.path_params["workspace"])
        return self._page(title, [_back(System.CONTENT_SERVER), body])

    async def node(self, request: Request) -> Response:
        server = _there(self._sandbox.content_server)
        return RedirectResponse(content_server.workspace_of(server, request.path_params["node"]))

    async def decide(self, request: Request) -> Response:
        """End the open step of a workflow, as the person whose turn it is."""
        _refuse_other_sites(request)
        people, form = _there(self._sandbox.content_server).people, await request.form()
        try:
            people.decide(int(str(form.get("workflow"))), str(form.get("disposition")))
        except (ApiError, ValueError) as error:
            said = element("p", element("span", str(error), class_="warn"), role="alert")
            body = [_back(System.CONTENT_SERVER), said]
            return self._page("That cannot be decided", body, status=400)
        return RedirectResponse(address(System.CONTENT_SERVER), 303)

    async def topic(self, request: Request) -> Response:
        name = request.path_params["topic"]
        body = kafka.topic_page(_there(self._sandbox.broker), name)
        return self._page(name, [_back(System.KAFKA), body])

    async def all_faults(self, request: Request) -> Response:
        told = {system.value: switches.told() for system, switches in self._switches.items()}
        return JSONResponse(told)

    async def faults(self, request: Request) -> Response:
        """The switches of one system, for programs."""
        system = self._system(request)
        switches = self._switches[system]
        if request.method == "POST":
            _refuse_other_sites(request)
            try:
                await switches.set(await request.json())
            except (ValueError, TypeError, LookupError) as error:
                return JSONResponse({"error": str(error.args[0])}, 400)
            except OSError as error:
                return JSONResponse({"error": str(error)}, 503)
        elif request.method == "DELETE":
            switches.clear(request.query_params.get("kind"))
        return JSONResponse(switches.told())

    async def act(self, request: Request) -> Response:
        """The forms of the pages."""
        _refuse_other_sites(request)
        system = self._system(request)
        switches, form = self._switches[system], await request.form()
        action = request.path_params["action"]
        try:
            if action == "set":
                await switches.set(fault_of(form))
            elif action == "clear":
                kind = form.get("kind")
                switches.clear(str(kind) if kind else None)
            elif action == "bad-day":
                await switches.set(bad_day(system))
            else:
                raise NotHere(f"Faults have no {action}.")
        except (ValueError, TypeError, LookupError, OSError) as error:
            if isinstance(error, NotHere) or _wants_json(request):
                raise
            said = element("p", element("span", str(error), class_="warn"), role="alert")
            return self._page("That is no fault", [_back(system), said], status=400)
        if _wants_json(request):
            return JSONResponse(switches.told())
        return RedirectResponse(address(system), 303)

    async def not_here(self, request: Request, error: Exception) -> Response:
        if _wants_json(request):
            return JSONResponse({"error": str(error)}, 404)
        return self._page("Not here", element("p", str(error)), status=404)

    async def no_page(self, request: Request, _error: Exception) -> Response:
        return await self.not_here(request, NotHere(f"There is no page {request.url.path}."))

    def _system(self, request: Request) -> System:
        name = request.path_params["system"]
        if name not in {system.value for system in self._switches}:
            running = ", ".join(system.value for system in self._switches)
            raise NotHere(f"No {name} runs here; there are: {running}.")
        return System(name)

    def _page(self, title: str, body: Child, here: str = "", status: int = 200) -> Response:
        return HTMLResponse(framed(title, body, self._switches, here), status)


def fault_of(form: FormData) -> dict[str, Any]:
    """A fault from a form, empty fields left out. Raises ValueError for what is no number."""
    fault: dict[str, Any] = {"kind": str(form.get("kind", ""))}
    for name, text in form.items():
        if name != "kind" and isinstance(text, str) and text.strip():
            fault[name] = _read(name, text.strip())
    if "times" not in fault:
        fault["times"] = None
    # What is as usual goes without saying: not every kind has these fields.
    return {name: value for name, value in fault.items() if (name, value) not in _USUAL}


def _read(name: str, text: str) -> Any:
    try:
        if name in _WHOLE:
            return int(text)
        if name in _FRACTIONS:
            return float(text)
    except ValueError as error:
        raise ValueError(f"{name} is a number, not {text!r}.") from error
    return True if name == "html" else text


def _there(value: T | None) -> T:
    """A system that runs; its pages are not there where it does not."""
    if value is None:
        raise NotHere("This system does not run here.")
    return value


def _back(system: System) -> Child:
    return element("p", link(address(system), f"← {TITLES[system]}"))


def _wants_json(request: Request) -> bool:
    return request.headers.get("accept", "").startswith("application/json")


def _refuse_other_sites(request: Request) -> None:
    """Raises HTTPException for what a page of another site makes a browser send."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "Faults are set from the sandbox's own pages only.")
