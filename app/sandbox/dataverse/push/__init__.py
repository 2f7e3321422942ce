"""The push side: Kafka is told of each commit, as by a service endpoint on Event Hubs.

    async with DataverseSimulator(entra, application_users=users) as dataverse:
        async with ServiceEndpoint(dataverse, "localhost:9092", "d365.changes") as endpoint:
            ...                         # every commit leaves as a RemoteExecutionContext
            await endpoint.drained()    # everything told so far is on the topic

`Steps` say what is registered and which of the platform's ways show (reference/dataverse.md 1.1);
`Habits` let messages come twice or late. Single messages go wrong by faults of the organisation:
`PUSH_FAULTS`, whose ``method`` is the message and whose ``path`` is searched in ``<table>(<id>)``.
All of it can be changed while it runs, over HTTP too: `app.sandbox.faults.ADMIN_PATH` and
`push.admin.RELAY_PATH`.
"""

from app.sandbox.dataverse.push.endpoint import PUSH_FAULTS, ServiceEndpoint
from app.sandbox.dataverse.push.steps import Steps
from app.sandbox.events.habits import Habits

__all__ = ["PUSH_FAULTS", "Habits", "ServiceEndpoint", "Steps"]
