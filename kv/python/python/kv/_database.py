"""The database."""

from __future__ import annotations

import os
from types import TracebackType

from . import _kv
from ._transaction import Transaction


class Database:
    """An open file. Threads share it: each has its own transactions.

    As a context manager it closes the file. ``kv.open`` makes one.
    """

    def __init__(self, raw: _kv.Database) -> None:
        self._raw = raw

    def view(self) -> Transaction:
        """Begin a read transaction: one state of the database, whatever is committed meanwhile. It blocks nobody.

        Use it as a context manager, which ends it. While it is open, the pages that it sees are not used again.
        """
        return Transaction(self._raw.begin_read())

    def update(self) -> Transaction:
        """Wait for the current write transaction to end, and begin one.

        As a context manager it commits at the end of the block, or rolls back if an exception leaves it. After the block
        the changes are on the disk. Other threads run during the wait and during the commit.

        Raises ``AlreadyWriting`` if this thread has one open, and ``ReadOnly``.
        """
        return Transaction(self._raw.begin_write())

    def sync(self) -> None:
        """Make everything durable that was committed with ``sync=False``. Other threads run meanwhile."""
        self._raw.sync()

    def close(self) -> None:
        """Close the file. Raises ``Error`` if transactions are open."""
        self._raw.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open(
    path: str | os.PathLike[str],
    *,
    read_only: bool = False,
    create: bool = True,
    sync: bool = True,
    lock_timeout: float = 5.0,
) -> Database:
    """Open a database; create the file if it is absent.

    :param read_only: for reading only. Several processes may do so, if none has the file open for writing.
    :param create: whether an absent file is created.
    :param sync: whether commits are durable. Without it they are with ``Database.sync``, and a power cut before that may
        damage the file.
    :param lock_timeout: how many seconds to wait for another process that has the file open.

    Raises ``Locked``, ``AlreadyOpen``, ``Corrupt`` or ``Error``.
    """
    return Database(_kv.Database(path, read_only, create, sync, lock_timeout))
