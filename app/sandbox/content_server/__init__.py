"""A simulated OpenText Content Server with Extended ECM and its directory service (OTDS).

    async with ContentServerSimulator(seed=1) as server:
        ...  # requests to server.url and server.otds_url

Built after reference/extended-ecm.md: sign-in and tickets, business workspaces from templates,
relations, roles, categories, documents and audit, workflows, records management, holds, clearance
and signature requests, with the errors, encodings and paging shapes of
the real product. `api/` has one module per family of calls over one `Store`.
"""

from app.sandbox.content_server.application import RequestRecord
from app.sandbox.content_server.behaviour import Behaviour
from app.sandbox.content_server.default_definition import default_definition
from app.sandbox.content_server.definition import Definition
from app.sandbox.content_server.errors import ApiError
from app.sandbox.content_server.simulator import ContentServerSimulator
from app.sandbox.content_server.views import DocumentView, WorkspaceView

__all__ = [
    "ApiError",
    "Behaviour",
    "ContentServerSimulator",
    "Definition",
    "DocumentView",
    "RequestRecord",
    "WorkspaceView",
    "default_definition",
]
