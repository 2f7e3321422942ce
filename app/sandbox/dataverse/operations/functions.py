"""Functions that tell about the caller and the organisation, and actions that change nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.schema import Registry
from app.sandbox.dataverse.web.urls import Answer, ApiRequest

VERSION = "9.2.25061.00157"
"""The version of the platform that ``RetrieveVersion`` names."""


@dataclass(frozen=True, slots=True)
class Organization:
    """What the functions tell of an organisation."""

    id: str
    business_unit_id: str
    name: str


class Functions:
    """Answers `WhoAmI`, `RetrieveVersion` and their like."""

    def __init__(self, store: Store, registry: Registry, organization: Organization) -> None:
        self._store = store
        self._registry = registry
        self._organization = organization

    def by_name(self) -> Mapping[str, Callable[[ApiRequest], Answer]]:
        """What there is, by the name that stands in the address."""
        return {
            "WhoAmI": self._who_am_i,
            "RetrieveVersion": self._version,
            "RetrieveCurrentOrganization": self._current,
            "RetrieveTotalRecordCount": self._total,
            "PublishAllXml": self._published,
            "PublishXml": self._published,
        }

    def _who_am_i(self, request: ApiRequest) -> Answer:
        ids = {
            "BusinessUnitId": self._organization.business_unit_id,
            "UserId": request.author.user_id,
            "OrganizationId": self._organization.id,
        }
        return _told(request, "WhoAmI", ids)

    def _version(self, request: ApiRequest) -> Answer:
        return _told(request, "RetrieveVersion", {"Version": VERSION})

    def _current(self, request: ApiRequest) -> Answer:
        detail = {
            "OrganizationId": self._organization.id,
            "FriendlyName": self._organization.name,
            "OrganizationVersion": VERSION,
            "UniqueName": self._organization.name,
            "UrlName": self._organization.name,
            "State": "Enabled",
            "Endpoints": {
                "Count": 1,
                "IsReadOnly": False,
                "Keys": ["WebApplication"],
                "Values": [request.base_url.partition("/api/")[0] + "/"],
            },
        }
        return _told(request, "RetrieveCurrentOrganization", {"Detail": detail})

    def _total(self, request: ApiRequest) -> Answer:
        """``RetrieveTotalRecordCount(EntityNames=['account'])``, the list also as ``@p``."""
        given = request.segments[0].parts.get("EntityNames", "")
        text = str(request.query.get(str(given), given))
        names = [name.strip().strip("'\"") for name in text.strip("[] ").split(",")]
        if unknown := [name for name in names if name not in self._registry]:
            raise Refusal.invalid_argument(f"There is no table {', '.join(unknown)}.")
        counts = {
            "Count": len(names),
            "IsReadOnly": False,
            "Keys": names,
            "Values": [len(self._store.rows(name)) for name in names],
        }
        return _told(request, "RetrieveTotalRecordCount", {"EntityRecordCountCollection": counts})

    def _published(self, request: ApiRequest) -> Answer:
        """Nothing is left to do: what is changed here is published at once."""
        if request.method != "POST":
            raise Refusal.method(request.method)
        return Answer(204)


def _told(request: ApiRequest, name: str, body: dict[str, Any]) -> Answer:
    if request.method != "GET":
        raise Refusal.method(request.method)
    context = f"{request.base_url}/$metadata#Microsoft.Dynamics.CRM.{name}Response"
    return Answer(200, {"@odata.context": context, **body})
