"""Transactions, and buckets as mappings."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from types import TracebackType
from typing import Union

from . import _kv

Bytes = Union[bytes, bytearray, memoryview, str]

TOP = 0
# Pairs that one call brings at most.
CHUNK = 256


def _bytes(given: Bytes) -> bytes:
    if isinstance(given, bytes):
        return given
    if isinstance(given, str):
        return given.encode()
    if isinstance(given, (bytearray, memoryview)):
        return bytes(given)
    raise TypeError(f"bytes or a str are needed, not {type(given).__name__}")


def _optional(given: Bytes | None) -> bytes | None:
    return None if given is None else _bytes(given)


def _after_prefix(prefix: bytes) -> bytes | None:
    """The least key after all that begin with ``prefix``; None if there is none."""
    short = prefix.rstrip(b"\xff")
    return short[:-1] + bytes([short[-1] + 1]) if short else None


class _Parent:
    """What has buckets: the top level, which is the transaction, and each bucket."""

    __slots__ = ()

    _tx: Transaction
    _number: int

    def bucket(self, name: Bytes) -> Bucket:
        """Open a nested bucket. Raises ``BucketNotFound``."""
        return Bucket(self._tx, self._tx._raw.open_bucket(self._number, _bytes(name)))

    def create(self, name: Bytes) -> Bucket:
        """Open a nested bucket; create it if it is absent."""
        self._tx._changes += 1
        return Bucket(self._tx, self._tx._raw.create_bucket(self._number, _bytes(name)))

    def drop(self, name: Bytes) -> None:
        """Delete a nested bucket, with everything in it. Raises ``BucketNotFound``."""
        self._tx._changes += 1
        self._tx._raw.delete_bucket(self._number, _bytes(name))

    def buckets(self) -> list[bytes]:
        """Return the names of the nested buckets. Goes over all items of this one."""
        return self._tx._raw.bucket_names(self._number)


class Transaction(_Parent):
    """A transaction, and the top level of the database: ``tx["fruit"]`` is a bucket.

    One thread at a time may use it. As a context manager it ends with its block: one for writing commits, or rolls back if
    an exception leaves the block.
    """

    def __init__(self, raw: _kv.Transaction) -> None:
        self._raw = raw
        self._tx = self
        self._number = TOP
        self._changes = 0

    def __getitem__(self, name: Bytes) -> Bucket:
        return self.bucket(name)

    def __contains__(self, name: Bytes) -> bool:
        try:
            self.bucket(name)
        except _kv.BucketNotFound:
            return False
        return True

    def commit(self) -> None:
        """Commit before the block ends. Raises ``NotCommitted``, ``Unknown`` or ``Poisoned``."""
        self._raw.commit()

    def rollback(self) -> None:
        """End the transaction, and forget its changes."""
        self._raw.rollback()

    def copy_to(self, path: str | os.PathLike[str]) -> int:
        """Write the state of a read transaction to a new file, while others go on writing. Returns its bytes."""
        return self._raw.copy_to(path)

    def check(self) -> list[str]:
        """Check the whole database as a read transaction sees it. Returns what is wrong: nothing, in a sound file."""
        return self._raw.check()

    def __enter__(self) -> Transaction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._raw.commit()
            else:
                self._raw.rollback()
        except _kv.Ended:
            # Within the block.
            pass


class Bucket(_Parent, MutableMapping[bytes, bytes]):
    """A bucket: a mapping of bytes to bytes, in the order of the keys.

    It is valid within its transaction. Nested buckets are not among its items: ``bucket``, ``create``, ``drop`` and
    ``buckets`` are for them. ``len`` counts the pairs, page by page.
    """

    __slots__ = ("_number", "_tx")

    def __init__(self, tx: Transaction, number: int) -> None:
        self._tx = tx
        self._number = number

    def __getitem__(self, key: Bytes) -> bytes:
        value = self._tx._raw.get(self._number, _bytes(key))
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: Bytes, value: Bytes) -> None:
        self._tx._changes += 1
        self._tx._raw.put(self._number, _bytes(key), _bytes(value))

    def __delitem__(self, key: Bytes) -> None:
        self._tx._changes += 1
        if not self._tx._raw.delete(self._number, _bytes(key)):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, (bytes, bytearray, memoryview, str)):
            return False
        return self._tx._raw.get(self._number, _bytes(key)) is not None

    def __iter__(self) -> Iterator[bytes]:
        return (key for key, _ in self.range())

    def __reversed__(self) -> Iterator[bytes]:
        return (key for key, _ in self.range(reverse=True))

    def __len__(self) -> int:
        return self._tx._raw.count(self._number)

    def range(
        self,
        start: Bytes | None = None,
        stop: Bytes | None = None,
        *,
        prefix: Bytes | None = None,
        reverse: bool = False,
    ) -> Iterator[tuple[bytes, bytes]]:
        """Iterate over the pairs from ``start`` on and before ``stop``, or over those whose keys begin with ``prefix``.

        With ``reverse`` the last comes first. The bucket may change meanwhile: the iteration finds what is there.
        """
        if prefix is not None:
            if start is not None or stop is not None:
                raise ValueError("a range has a prefix, or a start and a stop")
            start, stop = _bytes(prefix), _after_prefix(_bytes(prefix))
        return self._range(_optional(start), _optional(stop), reverse)

    def _range(self, start: bytes | None, stop: bytes | None, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        tx, after, limit = self._tx, None, 8
        while True:
            changes = tx._changes
            pairs = tx._raw.pairs(self._number, start, stop, after, reverse, limit)
            for pair in pairs:
                after = pair[0]
                yield pair
                if tx._changes != changes:
                    # What else has been fetched may be another now.
                    break
            else:
                if len(pairs) < limit:
                    return
                limit = min(limit * 2, CHUNK)

    def delete_range(self, start: Bytes | None = None, stop: Bytes | None = None) -> int:
        """Delete the pairs and nested buckets from ``start`` on and before ``stop``. Whole pages go without being read.

        Returns how many there were.
        """
        self._tx._changes += 1
        return self._tx._raw.delete_range(self._number, _optional(start), _optional(stop))

    def next_sequence(self) -> int:
        """Add one to the counter of the bucket, which begins with 0, and return the new number."""
        return self._tx._raw.next_sequence(self._number)

    def __eq__(self, other: object) -> bool:
        """Buckets are compared by identity: their content can be larger than memory. ``dict(bucket)`` has it."""
        return self is other

    def __hash__(self) -> int:
        return id(self)
