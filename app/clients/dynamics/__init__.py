"""Dataverse, Web API v9.2 (reference/dataverse.md 2).

gateway.py    reads, upserts and notes, as the writers ask for them
bodies.py     what a write sends; values.py: column values to canonical form and back
metadata.py   what Dataverse says about its own tables
status.py     what its answers mean
"""

from app.clients.dynamics.gateway import DataverseGateway

__all__ = ["DataverseGateway"]
