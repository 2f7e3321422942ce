"""The truth as messages: every format, wrapped, repeated, damaged and shuffled over partitions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from app.demo.erp import Told
from app.demo.truth import Truth
from app.sandbox.events import cloudevents, damage, debezium, ecm, rec, relays, synapse, web_api
from app.sandbox.events.change import Encoded, Named, RowEvent
from app.sandbox.events.ecm import EcmHappening
from streams.catalogue import Column, ColumnKind, Table

CHANGES_TOPIC = "d365.changes.v1"
ECM_TOPIC = "opentext.ecm.events.v1"

UNREADABLE_SHARE = 0.02
_REPEATED_SHARE = 0.06
_FORMATS = ("rec", "rec", "rec", "synapse", "debezium", "web_api", "cloudevents")
#: What the sources of finance and operations send.
_FINANCE = {"lake": "f&o synapse", "data": "f&o data", "business": "f&o business"}
#: No format may rely on the topic's name here: all tables share one topic.
_IN_BODY, _IN_HEADER = Named("body"), Named("header")
_CONTACT = Table("contact", "contacts", "contactid", {"fullname": Column(ColumnKind.TEXT)})


@dataclass(frozen=True)
class Played:
    """One message to produce: where to, when it was true (its Kafka timestamp), and the bytes."""

    topic: str
    partition: int
    at_ms: int
    encoded: Encoded
    format: str
    record: str = ""


@dataclass
class History:
    """All messages in the order in which they are produced, and which of them nobody can read."""

    messages: list[Played] = field(default_factory=list)
    unreadable: list[Played] = field(default_factory=list)

    @property
    def formats(self) -> Counter[str]:
        return Counter(message.format for message in self.messages)


class Playwright:
    """Turns the truth into a history; the seed decides who sends what how, and in what order."""

    def __init__(
        self,
        truth: Truth,
        workspaces: dict[str, int],
        seed: int,
        partitions: int,
        erp: Sequence[Told] = (),
    ) -> None:
        """``erp``: what the sources of finance and operations tell of the same truth."""
        self._truth = truth
        self._erp = erp
        self._workspaces = workspaces
        self._chance = random.Random(seed)
        self._partitions = partitions

    def write(self) -> History:
        """Encode everything, repeat some, damage some, shuffle all."""
        readable = [
            *self._changes(),
            *self._ecm_events(),
            *self._other_tables(),
            *self._finance(),
        ]
        repeated = self._chance.sample(readable, int(len(readable) * _REPEATED_SHARE))
        everything = [*readable, *map(self._moved, repeated)]
        count = round(len(everything) * UNREADABLE_SHARE / (1 - UNREADABLE_SHARE))
        unreadable = [self._damaged(m) for m in self._chance.sample(readable, count)]
        everything += unreadable
        self._chance.shuffle(everything)
        return History(everything, unreadable)

    # -- changes of Dynamics -------------------------------------------------------------------

    def _changes(self) -> list[Played]:
        dataverse = (life for life in self._truth.lives if not life.in_finance)
        lives = [*dataverse, *self._truth.processes.values()]
        return [
            self._played(CHANGES_TOPIC, event.at_ms, encoded, name, life.key)
            for life in lives
            for event in life.events
            for name, encoded in self._encoded(event)
        ]

    def _encoded(self, event: RowEvent) -> list[tuple[str, Encoded]]:
        name = self._chance.choice(_FORMATS)
        if name == "cloudevents":
            inner = self._plain(self._chance.choice(_FORMATS[:-1]), event)
            return [(name, self._wrapped(message, event)) for message in inner if message.value]
        messages = self._plain(name, event)
        if self._chance.random() < 0.05:
            messages = [self._relayed(message) for message in messages]
        return [(name, message) for message in messages]

    def _plain(self, name: str, event: RowEvent) -> list[Encoded]:
        match name:
            case "synapse":
                habits = synapse.Habits(typed=self._often(), lower=self._often(), named=_IN_BODY)
                return synapse.encode(event, habits)
            case "debezium":
                plain = debezium.Habits(schemas=self._often())
                return debezium.encode(
                    event, replace(plain, decimals="double") if self._often() else plain
                )
            case "web_api":
                return web_api.encode(event, web_api.Habits(named=_IN_HEADER))
        return self._pushed(event)

    def _pushed(self, event: RowEvent) -> list[Encoded]:
        """What a service endpoint sends; now and then with Merge, Win, Lose or Close beside it."""
        changed = event.changed or frozenset()
        habits = rec.Habits(images=self._often(), trimmed=self._chance.random() < 0.01)
        messages = rec.encode(event, habits)
        if "masterid" in changed:
            survivor = str(event.row["masterid"]).partition(":")[2]
            master = replace(event, id=survivor, row={}, changed=frozenset())
            messages.append(rec.merged(master, event.id))
        return messages

    def _wrapped(self, message: Encoded, event: RowEvent) -> Encoded:
        attributes = cloudevents.Attributes(
            id=f"{event.id}-{event.version}-{self._chance.random()}",
            type=f"dataverse.{event.table.name}.{event.operation}",
            subject=f"{event.table.name}/{event.id}",
            time_ms=event.at_ms,
        )
        if self._often():
            return cloudevents.binary(message, attributes)
        return cloudevents.structured(message, attributes, base64_data=self._often())

    def _relayed(self, message: Encoded) -> Encoded:
        """What functions and logic apps in between make of a message."""
        if message.value is None:
            return message
        relay = self._chance.choice(
            (relays.double_encoded, relays.in_key, relays.content_data, relays.with_bom)
        )
        return relay(message)

    def _finance(self) -> list[Played]:
        return [
            self._played(CHANGES_TOPIC, t.at_ms, t.encoded, _FINANCE[t.source], t.record)
            for t in self._erp
        ]

    def _other_tables(self) -> list[Played]:
        """Changes of a table that no rule declares: skipped, and counted."""
        events = [
            RowEvent(
                _CONTACT, life.id, "create", {"fullname": life.title}, 1_700_000_000_000, 1, ""
            )
            for life in self._truth.lives[:20]
        ]
        user = self._truth.people[0].id
        return [
            self._played(CHANGES_TOPIC, event.at_ms, encoded, "rec", "")
            for event in events
            for encoded in rec.encode(replace(event, actor=user))
        ]

    # -- events of Extended ECM ------------------------------------------------------------------

    def _ecm_events(self) -> list[Played]:
        told = [
            (key, self._addressed(key, happening))
            for key, happenings in self._truth.told.items()
            for happening in happenings
        ]
        told += [("", happening) for happening in self._truth.strays]
        return [
            self._played(ECM_TOPIC, happening.at_ms, self._ecm(happening), "ecm", key)
            for key, happening in told
        ]

    def _addressed(self, key: str, happening: EcmHappening) -> EcmHappening:
        """A workspace that was there before is known by its number, others by their record."""
        known = self._workspaces.get(key)
        if known is None:
            return happening
        return replace(happening, workspace_id=known, business_object=None)

    def _ecm(self, happening: EcmHappening) -> Encoded:
        if self._often():
            return ecm.encode(happening, time_as_ms=self._often())
        return ecm.encode_cloudevent(happening, binary=self._often())

    # -- the pieces --------------------------------------------------------------------------------

    def _often(self) -> bool:
        return self._chance.random() < 0.5

    def _played(
        self, topic: str, at_ms: int, encoded: Encoded, format_: str, record: str
    ) -> Played:
        return Played(topic, self._partition(), at_ms, encoded, format_, record)

    def _moved(self, message: Played) -> Played:
        return replace(message, partition=self._partition())

    def _damaged(self, message: Played) -> Played:
        kind = self._chance.choice(sorted(damage.CODES))
        broken = damage.damaged(_without_wrapping(message.encoded), kind)
        return replace(self._moved(message), encoded=broken, format="unreadable", record="")

    def _partition(self) -> int:
        return self._chance.randrange(self._partitions)


def _without_wrapping(encoded: Encoded) -> Encoded:
    """Damage is to the payload: headers that promise a CloudEvent stay, its value goes."""
    return encoded if encoded.value else Encoded(encoded.key, b"{}", encoded.headers)


def summary(messages: Sequence[Played]) -> str:
    """How many of each format, for people."""
    counts = Counter(message.format for message in messages)
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
