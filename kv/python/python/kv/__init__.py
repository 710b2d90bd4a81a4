"""An embedded key/value store whose file is bbolt's, the engine under etcd, byte for byte.

One file, one writer, any number of readers that never wait. Keys and values are bytes, keys are sorted, buckets nest,
and transactions are atomic and durable::

    import kv

    with kv.open("inventory.db") as db:
        with db.update() as tx:
            fruit = tx.create("fruit")
            fruit["apple"] = b"12"
            fruit["plum"] = b"40"

        with db.view() as tx:
            assert tx["fruit"]["apple"] == b"12"
            for name, pieces in tx["fruit"].range("b"):
                print(name, pieces)

Where bytes are expected, a ``str`` is taken as UTF-8; bytes are what comes back.
"""

from ._database import Database, open
from ._kv import (
    AlreadyOpen,
    AlreadyWriting,
    BucketNotFound,
    Corrupt,
    Ended,
    Error,
    Locked,
    NotCommitted,
    Poisoned,
    ReadOnly,
    Unknown,
)
from ._transaction import Bucket, Transaction

__all__ = [
    "AlreadyOpen",
    "AlreadyWriting",
    "Bucket",
    "BucketNotFound",
    "Corrupt",
    "Database",
    "Ended",
    "Error",
    "Locked",
    "NotCommitted",
    "Poisoned",
    "ReadOnly",
    "Transaction",
    "Unknown",
    "open",
]
