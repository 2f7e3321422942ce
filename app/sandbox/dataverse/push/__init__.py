"""The push side: Kafka is told of each commit, as by a service endpoint on Event Hubs.

    async with DataverseSimulator(entra, application_users=users) as dataverse:
        async with ServiceEndpoint(dataverse, bootstrap="localhost:9092", topic="d365.changes"):
            ...  # every commit leaves as a RemoteExecutionContext (reference/dataverse.md 1.1)

`Habits` say how steps and endpoint are set up and how untidy the asynchronous service is. Single
messages go wrong by faults of the organisation, over its admin path too: ``push_duplicate``,
``push_late``, ``push_trimmed`` and ``push_lost``, whose ``method`` is the message and whose
``path`` is searched in ``<table>(<id>)``.
"""

from app.sandbox.dataverse.push.endpoint import ServiceEndpoint
from app.sandbox.dataverse.push.habits import Habits

__all__ = ["Habits", "ServiceEndpoint"]
