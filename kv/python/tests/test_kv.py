"""The package as its users know it."""

import random
import re
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import kv
import pytest

FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "test.db"


@pytest.fixture
def db(path):
    with kv.open(path) as db:
        yield db


def test_what_a_block_commits_is_there(db):
    with db.update() as tx:
        fruit = tx.create("fruit")
        fruit["apple"] = b"12"
        fruit[b"plum"] = bytearray(b"40")
        assert fruit["plum"] == b"40", "its own changes"
    with db.view() as tx:
        assert dict(tx["fruit"]) == {b"apple": b"12", b"plum": b"40"}
        assert "fruit" in tx and "stone" not in tx
        assert tx.buckets() == [b"fruit"]


def test_an_exception_rolls_back(db):
    with pytest.raises(ZeroDivisionError):
        with db.update() as tx:
            tx.create("fruit")["apple"] = b"12"
            _ = 1 / 0
    with db.view() as tx:
        assert tx.buckets() == []
    with db.update() as tx:
        tx.create("fruit")
        tx.rollback()
    with db.update() as tx:
        assert "fruit" not in tx
        tx.create("fruit")
        tx.commit()
    with db.view() as tx:
        assert "fruit" in tx


def test_a_bucket_is_a_mapping(db):
    with db.update() as tx:
        bucket = tx.create("b")
        bucket.update({b"a": b"1", b"b": b"2"}, c=b"3")
        assert bucket.get("a") == b"1" and bucket.get("z") is None and bucket.get("z", b"") == b""
        assert bucket.setdefault("a", b"9") == b"1" and bucket.setdefault("d", b"4") == b"4"
        assert bucket.pop("d") == b"4" and bucket.pop("d", None) is None
        assert list(bucket) == [b"a", b"b", b"c"] and list(reversed(bucket)) == [b"c", b"b", b"a"]
        assert list(bucket.items()) == [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]
        assert list(bucket.values()) == [b"1", b"2", b"3"] and len(bucket) == 3
        assert bucket.popitem() == (b"a", b"1")
        with pytest.raises(KeyError):
            bucket["a"]
        with pytest.raises(KeyError):
            del bucket["a"]
        assert 7 not in bucket
        bucket.clear()
        assert not bucket


def test_ranges(db):
    keys = [b"%03d" % n for n in range(1000)]
    with db.update() as tx:
        bucket = tx.create("b")
        for key in keys:
            bucket[key] = key
        bucket.create("010 nested")["key"] = b"value"
    rng = random.Random(1)
    with db.view() as tx:
        bucket = tx["b"]
        for _ in range(200):
            start, stop = (rng.choice([None, b"%03d" % rng.randrange(1000), b"%d" % rng.randrange(99)]) for _ in "ab")
            expected = [key for key in keys if (start is None or key >= start) and (stop is None or key < stop)]
            assert [key for key, _ in bucket.range(start, stop)] == expected
            assert [key for key, _ in bucket.range(start, stop, reverse=True)] == expected[::-1]
        assert [value for _, value in bucket.range(prefix="99")] == keys[990:]
        assert list(bucket.range(prefix=b"\xff")) == []
        with pytest.raises(ValueError):
            bucket.range("a", prefix="b")
        assert bucket.buckets() == [b"010 nested"] and bucket.bucket("010 nested")["key"] == b"value"
    with db.update() as tx:
        assert tx["b"].delete_range("100", "900") == 800
        assert len(tx["b"]) == 200


def test_prefixes_of_every_byte(db):
    with db.update() as tx:
        bucket = tx.create("b")
        for key in [b"a", b"a\xfe", b"a\xff", b"a\xff\xff", b"b", b"\xff", b"\xff\xff"]:
            bucket[key] = b""
        assert [key for key, _ in bucket.range(prefix=b"a\xff")] == [b"a\xff", b"a\xff\xff"]
        assert [key for key, _ in bucket.range(prefix=b"\xff")] == [b"\xff", b"\xff\xff"]
        assert len(list(bucket.range(prefix=b""))) == 7


def test_a_bucket_changes_while_it_is_iterated(db):
    rng = random.Random(2)
    for _ in range(20):
        with db.update() as tx:
            bucket = tx.create("b")
            model = {b"%04d" % rng.randrange(2000): b"0" for _ in range(300)}
            bucket.clear()
            bucket.update(model)
            met = b""
            for key, value in bucket.range():
                expected = min(key for key in model if key > met)
                assert (key, value) == (expected, model[expected])
                met = key
                other = rng.choice(list(model))
                if rng.random() < 0.2 and other != key:
                    del bucket[other], model[other]
                elif rng.random() < 0.2:
                    bucket[other] = model[other] = b"%d" % rng.randrange(9)
            assert all(key <= met for key in model)
            assert dict(bucket) == model


def test_a_reader_sees_one_state(db):
    with db.update() as tx:
        tx.create("b")["n"] = b"1"
    with db.view() as before:
        with db.update() as tx:
            tx["b"]["n"] = b"2"
        with db.view() as after:
            assert (before["b"]["n"], after["b"]["n"]) == (b"1", b"2")


def test_nested_buckets_and_sequences(db):
    with db.update() as tx:
        inner = tx.create("a").create("b").create("c")
        assert [inner.next_sequence(), inner.next_sequence()] == [1, 2]
        inner["key"] = b"value"
    with db.view() as tx:
        assert tx["a"].bucket("b").bucket("c")["key"] == b"value"
    with db.update() as tx:
        tx["a"].drop("b")
        assert tx["a"].buckets() == []
        with pytest.raises(kv.BucketNotFound):
            tx["a"].drop("b")
        tx.drop("a")
        with pytest.raises(kv.BucketNotFound, match="there is no bucket"):
            tx["a"]


def test_errors_have_types_and_remedies(db, path):
    with db.update() as tx:
        bucket = tx.create("b")
        with pytest.raises(kv.AlreadyWriting):
            db.update()
        with pytest.raises(ValueError, match="at least one byte"):
            bucket[""] = b"value"
        with pytest.raises(TypeError):
            bucket["n"] = 7
        with pytest.raises(kv.Error, match="transactions are open"):
            db.close()
    with pytest.raises(kv.Ended):
        bucket["key"]
    with db.view() as tx:
        with pytest.raises(kv.ReadOnly):
            tx["b"]["key"] = b"value"
    with pytest.raises(kv.AlreadyOpen):
        kv.open(path)
    with pytest.raises(kv.Error):
        kv.open(path.with_name("absent.db"), create=False)
    path.with_name("text").write_text("no database" * 1000)
    with pytest.raises(kv.Corrupt):
        kv.open(path.with_name("text"))


def test_another_process_is_told(db, path):
    program = "import sys, kv\ntry:\n kv.open(sys.argv[1], lock_timeout=0.1)\nexcept kv.Locked as error:\n print(error)"
    said = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert "is in use by another process" in said.stdout


def test_a_copy_while_others_write(db, tmp_path):
    with db.update() as tx:
        tx.create("b")["n"] = b"1"
    with db.view() as tx:
        with db.update() as other:
            other["b"]["n"] = b"2"
        assert tx.copy_to(tmp_path / "copy.db") > 0
        assert tx.check() == []
    with kv.open(tmp_path / "copy.db", read_only=True) as copy, copy.view() as tx:
        assert tx["b"]["n"] == b"1"


def test_the_programs_of_the_documentation_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    programs = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    programs += [textwrap.dedent(kv.__doc__.partition("::\n")[2].rpartition("\nWhere bytes")[0])]
    for program in programs:
        exec(program, {})
    assert capsys.readouterr().out == "b'12' 3\nb'plum' b'40'\nb'pear' b'7'\nb'pear' b'7'\nb'plum' b'40'\n"


def test_a_file_of_etcd():
    with kv.open(FIXTURES / "etcd34-small-map.db", read_only=True) as db, db.view() as tx:
        assert b"key" in tx.buckets() and len(tx["key"]) == 253
        assert tx.check() == []


def test_the_wait_for_a_writer_lets_other_threads_run(db):
    begun, order = threading.Event(), []

    def write():
        with db.update() as tx:
            tx.create("b")
            begun.set()
            # The other thread waits in the library: this one runs only if that lets it.
            time.sleep(0.1)
            order.append("first")

    thread = threading.Thread(target=write)
    thread.start()
    begun.wait()
    with db.update() as tx:
        order.append("second")
        assert "b" in tx
    thread.join()
    assert order == ["first", "second"]


def test_a_commit_lets_other_threads_run(db):
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0005)

    thread = threading.Thread(target=tick)
    thread.start()
    tx = db.update()
    bucket = tx.create("b")
    for n in range(64):
        bucket[b"%d" % n] = bytes(1 << 20)
    begin = time.perf_counter()
    tx.commit()
    end = time.perf_counter()
    stop.set()
    thread.join()
    inside = [at for at in ticks if begin + (end - begin) / 4 < at < end - (end - begin) / 4]
    assert inside, f"no other thread ran in the middle of a commit of {end - begin:.3f} s"


def test_threads_share_a_database(db):
    with db.update() as tx:
        tx.create("b")

    def count(name):
        for _ in range(20):
            with db.update() as tx:
                bucket = tx["b"]
                bucket["n"] = b"%d" % (int(bucket.get("n", b"0")) + 1)
            with db.view() as tx:
                assert int(tx["b"]["n"]) >= 1

    threads = [threading.Thread(target=count, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.view() as tx:
        assert tx["b"]["n"] == b"80"
