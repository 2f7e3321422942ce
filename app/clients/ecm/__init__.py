"""Content Server REST (reference/extended-ecm.md).

gateway.py      what the writers ask for, each handed to one of the files below
the workspace   lookup, creation, types (and templates), names, renaming, relations
its team        roles, members (users and groups), access (permissions)
what it holds   categories and their attributes, documents, folders, records (management)
its workflows   workflows, workflow_maps
the wire        answers (envelopes, pages, encoding), status (what an answer means)
"""

from app.clients.ecm.gateway import SMART_VIEW, ContentServerGateway

__all__ = ["SMART_VIEW", "ContentServerGateway"]
