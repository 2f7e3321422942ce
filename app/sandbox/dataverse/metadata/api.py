"""The addresses of metadata: reads go one way, changes another."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.sandbox.dataverse.metadata.changes_query import MetadataChanges
from app.sandbox.dataverse.metadata.changing import MetadataChanging
from app.sandbox.dataverse.metadata.choices import Choices
from app.sandbox.dataverse.metadata.csdl import Csdl
from app.sandbox.dataverse.metadata.reading import MetadataReading
from app.sandbox.dataverse.metadata.recorder import Recorder
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.schema import Registry
from app.sandbox.dataverse.web.urls import ROOT, Answer, ApiRequest


class Metadata:
    """Answers requests on tables, columns, keys, relationships and choices."""

    def __init__(self, registry: Registry, store: Store) -> None:
        self._reading = MetadataReading(registry)
        recorder = Recorder(registry, store)
        self._changing = MetadataChanging(registry, store, self._reading, recorder)
        self._choices = Choices(registry, store, recorder)
        self._changes = MetadataChanges(registry, store, self._reading)
        self._csdl = Csdl(registry)

    def by_name(self) -> Mapping[str, Callable[[ApiRequest], Answer]]:
        """What there is, by the name that stands in the address."""
        return {
            "EntityDefinitions": self._tables,
            "RelationshipDefinitions": self._relationships,
            "CreateEntities": self._changing.create_entities,
            "RetrieveMetadataChanges": self._changes.answer,
            **self._choices.by_name(),
            "$metadata": self._csdl.model,
            ROOT: self._csdl.document,
        }

    def _tables(self, request: ApiRequest) -> Answer:
        if request.method == "GET":
            return self._reading.tables(request)
        return self._changing.tables(request)

    def _relationships(self, request: ApiRequest) -> Answer:
        if request.method == "GET":
            return self._reading.relationships(request)
        return self._changing.relationships(request)
