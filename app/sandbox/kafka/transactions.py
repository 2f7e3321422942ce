"""The transaction coordinator: transactional ids, their producers and what they have in hand.

The states and the errors are those of Apache Kafka's coordinator (KIP-98, KIP-360), in the protocol
versions before KIP-890. With one node a transaction ends within one call: the control records are
written and the offsets committed before the producer is answered. What a crash interrupted is
finished when the broker starts again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from kio.schema.errors import ErrorCode

from app.sandbox.kafka.journal import Journal
from app.sandbox.kafka.offsets import Committed, CommittedOffsets
from app.sandbox.kafka.state import BrokerState
from app.sandbox.kafka.transaction_rows import (
    Partition,
    Transaction,
    TransactionState,
    revived,
    stored,
)

_MAX_EPOCH = 2**15 - 2
Producer = tuple[int, int]
"""A producer's id and epoch."""
_NOBODY: Producer = (-1, -1)


def _now() -> int:
    return round(time.time() * 1000)


class TransactionCoordinator:
    """All transactional ids. `path` is the file that keeps them, None for memory; `clock` tells the
    time in milliseconds since 1970.

    Raises OSError when the file cannot be read."""

    def __init__(
        self,
        state: BrokerState,
        offsets: CommittedOffsets,
        path: Path | None,
        clock: Callable[[], int] = _now,
    ) -> None:
        self._state = state
        self._settings = state.settings
        self._offsets = offsets
        self._clock = clock
        self._journal = Journal(path, key_parts=1)
        self._transactions = {
            name: revived(name, value) for (name,), value in self._journal.load().items()
        }
        for transaction in self._transactions.values():
            if transaction.state in (
                TransactionState.PREPARE_COMMIT,
                TransactionState.PREPARE_ABORT,
            ):
                self._complete(transaction)

    def find(self, transactional_id: str) -> Transaction | None:
        """The transactional id's state, None when nobody has used it."""
        return self._transactions.get(transactional_id)

    def all(self) -> list[Transaction]:
        """Every transactional id."""
        return list(self._transactions.values())

    def holder(self, producer_id: int) -> Transaction | None:
        """The transaction of a producer id, None when it is not a transactional producer's."""
        return next((t for t in self._transactions.values() if t.producer_id == producer_id), None)

    def init_producer(
        self, transactional_id: str, timeout: float, expected: Producer = _NOBODY
    ) -> tuple[ErrorCode, Producer]:
        """InitProducerId: the id's producer with a new epoch, so that its former instance is
        fenced. `expected` is the producer that the client believes to be."""
        if not transactional_id:
            return ErrorCode.invalid_request, _NOBODY
        if not 0 < timeout <= self._settings.max_transaction_timeout:
            return ErrorCode.invalid_transaction_timeout, _NOBODY
        transaction = self._transactions.get(transactional_id)
        if transaction is None:
            transaction = Transaction(transactional_id, self._state.new_producer_id(), 0, timeout)
            self._transactions[transactional_id] = transaction
            self._keep(transaction)
            return ErrorCode.none, (transaction.producer_id, transaction.epoch)
        if expected != _NOBODY and not _is(transaction, expected):
            return ErrorCode.producer_fenced, _NOBODY
        if transaction.state is TransactionState.ONGOING:
            # The client asks again, and then finds a transaction that is over.
            self._fence(transaction)
            return ErrorCode.concurrent_transactions, _NOBODY
        transaction.timeout, transaction.started = timeout, -1
        self._next_epoch(transaction)
        transaction.state = TransactionState.EMPTY
        self._keep(transaction)
        return ErrorCode.none, (transaction.producer_id, transaction.epoch)

    def add_partitions(
        self, transactional_id: str, producer: Producer, partitions: set[Partition]
    ) -> ErrorCode:
        """AddPartitionsToTxn: the transaction begins with its first partition."""
        error, transaction = self._of(transactional_id, producer)
        if transaction is None:
            return error
        if not partitions <= transaction.partitions:
            self._begin(transaction)
            transaction.partitions |= partitions
            self._keep(transaction)
        return ErrorCode.none

    def add_group(self, transactional_id: str, producer: Producer, group: str) -> ErrorCode:
        """AddOffsetsToTxn: offsets of this group will be committed with the transaction."""
        error, transaction = self._of(transactional_id, producer)
        if transaction is None:
            return error
        self._begin(transaction)
        transaction.groups.add(group)
        self._keep(transaction)
        return ErrorCode.none

    def hold_offsets(
        self,
        transactional_id: str,
        producer: Producer,
        group: str,
        commits: Mapping[Partition, Committed],
    ) -> ErrorCode:
        """TxnOffsetCommit: keep these until the transaction ends, if `offsets_error` lets them."""
        error = self.offsets_error(transactional_id, producer, group)
        if error is ErrorCode.none:
            transaction = self._transactions[transactional_id]
            transaction.offsets.setdefault(group, {}).update(commits)
            self._keep(transaction)
        return error

    def offsets_error(self, transactional_id: str, producer: Producer, group: str) -> ErrorCode:
        """Whether the ongoing transaction may commit offsets of this group."""
        error, transaction = self._of(transactional_id, producer)
        if transaction is None:
            return error
        ongoing = transaction.state is TransactionState.ONGOING
        known = ongoing and group in transaction.groups
        return ErrorCode.none if known else ErrorCode.invalid_txn_state

    def is_pending(self, group: str, partition: Partition) -> bool:
        """Whether an open transaction holds an offset of this group for this partition."""
        return any(partition in t.offsets.get(group, {}) for t in self._transactions.values())

    def end(self, transactional_id: str, producer: Producer, *, commit: bool) -> ErrorCode:
        """EndTxn. A repetition of what has been done is answered as the first time.
        Raises OSError (disk); the end is then made up for at the next start."""
        transaction = self._transactions.get(transactional_id)
        error = self._identity_error(transactional_id, transaction, producer)
        if error is not ErrorCode.none or transaction is None:
            return error
        done = TransactionState.COMPLETE_COMMIT if commit else TransactionState.COMPLETE_ABORT
        if transaction.state is done:
            return ErrorCode.none
        if transaction.state is not TransactionState.ONGOING:
            return ErrorCode.invalid_txn_state
        self._prepare(transaction, commit=commit)
        self._complete(transaction)
        return ErrorCode.none

    def may_append(self, producer_id: int, epoch: int, partition: Partition) -> ErrorCode:
        """Whether a transactional batch may be appended: only to a partition that was added to the
        ongoing transaction of this producer."""
        transaction = self.holder(producer_id)
        if transaction is None:
            return ErrorCode.invalid_producer_id_mapping
        if epoch != transaction.epoch:
            return ErrorCode.invalid_producer_epoch
        ongoing = transaction.state is TransactionState.ONGOING
        known = ongoing and partition in transaction.partitions
        return ErrorCode.none if known else ErrorCode.invalid_txn_state

    def abort_overdue(self) -> None:
        """Abort what has taken longer than its timeout, fencing its producer, and forget ids that
        nobody has used for long."""
        now = self._clock()
        for transaction in self.all():
            if transaction.state is TransactionState.ONGOING:
                if now - transaction.started > transaction.timeout * 1000:
                    self._fence(transaction)
            elif now - transaction.updated > self._settings.transactional_id_expiration * 1000:
                del self._transactions[transaction.transactional_id]
                self._journal.append([((transaction.transactional_id,), [])])

    def forget_topic(self, topic: str) -> None:
        """A topic is gone: open transactions have nothing to end there."""
        for transaction in self._transactions.values():
            transaction.partitions = {p for p in transaction.partitions if p[0] != topic}

    def close(self) -> None:
        """Close the file."""
        self._journal.close()

    def _of(
        self, transactional_id: str, producer: Producer
    ) -> tuple[ErrorCode, Transaction | None]:
        transaction = self._transactions.get(transactional_id)
        error = self._identity_error(transactional_id, transaction, producer)
        return error, transaction if error is ErrorCode.none else None

    @staticmethod
    def _identity_error(
        transactional_id: str, transaction: Transaction | None, producer: Producer
    ) -> ErrorCode:
        if not transactional_id:
            return ErrorCode.invalid_request
        if transaction is None or transaction.producer_id != producer[0]:
            return ErrorCode.invalid_producer_id_mapping
        return ErrorCode.none if transaction.epoch == producer[1] else ErrorCode.producer_fenced

    def _begin(self, transaction: Transaction) -> None:
        if transaction.state is not TransactionState.ONGOING:
            transaction.state = TransactionState.ONGOING
            transaction.started = self._clock()

    def _fence(self, transaction: Transaction) -> None:
        """Abort under the next epoch, so that the producer's own requests come too late."""
        transaction.epoch += 1
        self._prepare(transaction, commit=False)
        self._complete(transaction)

    def _next_epoch(self, transaction: Transaction) -> None:
        if transaction.epoch >= _MAX_EPOCH:
            transaction.previous_id = transaction.producer_id
            transaction.producer_id, transaction.epoch = self._state.new_producer_id(), 0
        else:
            transaction.epoch += 1

    def _prepare(self, transaction: Transaction, *, commit: bool) -> None:
        prepared = TransactionState.PREPARE_COMMIT if commit else TransactionState.PREPARE_ABORT
        transaction.state = prepared
        self._keep(transaction)

    def _complete(self, transaction: Transaction) -> None:
        commit = transaction.state is TransactionState.PREPARE_COMMIT
        now = self._clock()
        for topic, index in sorted(transaction.partitions):
            log = self._state.partition(topic, index)
            if log is not None:
                log.end_transaction(
                    transaction.producer_id, transaction.epoch, commit=commit, timestamp=now
                )
        if commit:
            for group, commits in transaction.offsets.items():
                self._offsets.commit(group, commits)
        transaction.partitions, transaction.offsets, transaction.groups = set(), {}, set()
        transaction.state = (
            TransactionState.COMPLETE_COMMIT if commit else TransactionState.COMPLETE_ABORT
        )
        self._keep(transaction)

    def _keep(self, transaction: Transaction) -> None:
        transaction.updated = self._clock()
        self._journal.append([((transaction.transactional_id,), stored(transaction))])
        if self._journal.is_bloated(len(self._transactions)):
            table = {(t.transactional_id,): stored(t) for t in self._transactions.values()}
            self._journal.rewrite(table)


def _is(transaction: Transaction, producer: Producer) -> bool:
    """Whether this is the id's producer, or the one it was before its epochs ran out."""
    producer_id, epoch = producer
    if producer_id == transaction.previous_id:
        return True
    return (producer_id, epoch) == (transaction.producer_id, transaction.epoch)
