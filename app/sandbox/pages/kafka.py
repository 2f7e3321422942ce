"""What the embedded broker holds: topics with their partitions, groups and transactions."""

from __future__ import annotations

from urllib.parse import quote

from app.sandbox.choice import System
from app.sandbox.kafka import EmbeddedBroker
from app.sandbox.kafka.groups import Group
from app.sandbox.kafka.state import Topic
from app.sandbox.pages.dataverse import NotHere
from app.sandbox.pages.html import Html, element
from app.sandbox.pages.layout import code, facts, link, moment, plural, section, table
from app.sandbox.pages.messages import newest
from app.sandbox.pages.parts import address


def broker_page(broker: EmbeddedBroker) -> Html:
    """All of it, topics by name."""
    topics = [
        (
            link(f"{address(System.KAFKA)}/topics/{quote(name)}", name),
            len(topic.partitions),
            sum(log.end_offset - log.start_offset for log in topic.partitions),
            sum(log.size for log in topic.partitions),
        )
        for name, topic in sorted(broker.state.topics.items())
    ]
    transactions = [
        (t.transactional_id, t.state.value, t.producer_id, t.epoch, len(t.partitions))
        for t in broker.transactions.all()
    ]
    groups = sorted(broker.groups.all(), key=lambda group: group.group_id)
    return element(
        "div",
        facts([("Bootstrap", code(broker.bootstrap))]),
        section(
            "Topics",
            table(
                plural(len(topics), "topic"),
                ("Topic", "Partitions", "Records", "Bytes"),
                topics,
                numbers=(1, 2, 3),
            ),
        ),
        section("Groups", _groups(groups)),
        section(
            "Transactions",
            table(
                plural(len(transactions), "transactional id"),
                ("Id", "State", "Producer", "Epoch", "Partitions"),
                transactions,
                numbers=(2, 3, 4),
                empty="None.",
            ),
        ),
    )


def topic_page(broker: EmbeddedBroker, name: str) -> Html:
    """The newest messages of a topic, its partitions and how it is set up."""
    topic = broker.state.topics.get(name)
    if topic is None:
        raise NotHere(f"There is no topic {name}.")
    rows = [
        (index, log.start_offset, log.end_offset, log.last_stable_offset, log.size)
        for index, log in enumerate(topic.partitions)
    ]
    heads = ("Partition", "First offset", "Next offset", "Stable up to", "Bytes")
    return element(
        "div",
        section("Newest messages", _messages(topic)),
        section("Partitions", table("Partitions", heads, rows, numbers=range(5))),
        section(
            "Settings",
            table(
                "What was set; the rest is default",
                ("Setting", "Value"),
                sorted(topic.configs.items()),
                empty="All default.",
            ),
        ),
    )


def _messages(topic: Topic) -> Html:
    rows = [
        (
            f"{message.partition} / {message.offset}",
            moment(message.at),
            message.key,
            code(message.value),
            message.headers,
        )
        for message in newest(topic)
    ]
    heads = ("Partition / offset", "When (UTC)", "Key", "Value", "Headers")
    return table("Newest first; long values are cut", heads, rows)


def _groups(groups: list[Group]) -> Html:
    rows = [
        (
            group.group_id,
            group.state.value,
            group.generation,
            ", ".join(sorted(group.members)) or "-",
        )
        for group in groups
    ]
    heads = ("Group", "State", "Generation", "Members")
    return table(plural(len(groups), "group"), heads, rows, numbers=(2,), empty="None.")
