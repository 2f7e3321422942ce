"""The tree of nodes: which lies where, under which name, and the ids they get.

Every change of a node is noticed by the search index, which follows after its lag
(reference/extended-ecm.md 8.1).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from app.sandbox.content_server import errors
from app.sandbox.content_server.behaviour import Behaviour
from app.sandbox.content_server.changes import Changes, Clock
from app.sandbox.content_server.model import Node

FIRST_ID = 20000


class Tree:
    """Nodes by id and by name in their parent; names are unique there, case does not count."""

    def __init__(self, behaviour: Behaviour, clock: Clock, random_source: random.Random) -> None:
        self.behaviour = behaviour
        self.clock = clock
        self.random = random_source
        self.nodes: dict[int, Node] = {}
        self.changes = Changes(clock)
        self._children: dict[int, dict[str, int]] = {}
        self._next_id = FIRST_ID

    def new_id(self) -> int:
        """The next id; gaps as on a live server, where other things take ids as well."""
        self._next_id += self.random.randint(1, 7)
        return self._next_id

    def add(self, node: Node) -> None:
        """File a node under its parent and its name."""
        siblings = self._children.setdefault(node.parent_id, {})
        if node.name.casefold() in siblings:
            raise errors.name_taken(node.name)
        siblings[node.name.casefold()] = node.id
        self.nodes[node.id] = node
        self.changes.notice(node.id)

    def node(self, node_id: int) -> Node:
        """The node, also by the negative volume id of a workspace; 400 when missing."""
        if node_id in self.nodes:
            return self.nodes[node_id]
        holder = self.nodes.get(-node_id)
        if holder is None or holder.volume_id_of_children() != node_id:
            raise errors.not_accessible()
        return holder

    def children(self, node_id: int) -> list[Node]:
        """The nodes directly beneath, oldest first."""
        return [self.nodes[child] for child in self._children.get(node_id, {}).values()]

    def child_by_name(self, parent_id: int, name: str) -> Node | None:
        """The child with that name (case does not count), or None."""
        found = self._children.get(parent_id, {}).get(name.casefold())
        return self.nodes[found] if found is not None else None

    def place(self, node: Node, parent_id: int, name: str) -> None:
        """Move and rename in one step; 500 when the new parent has the name already."""
        holder = self.child_by_name(parent_id, name)
        if holder is not None and holder is not node:
            raise errors.name_taken(name)
        del self._children[node.parent_id][node.name.casefold()]
        node.parent_id, node.name = parent_id, name
        for item in self.subtree(node):
            self.changes.notice(item.id)
        self._children.setdefault(parent_id, {})[name.casefold()] = node.id

    def subtree(self, node: Node) -> Iterator[Node]:
        """The node and everything beneath it, parents first."""
        yield node
        for child in self.children(node.id):
            yield from self.subtree(child)
