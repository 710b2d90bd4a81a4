"""A test that does not end fails: the process ends, and says where each thread is."""

import faulthandler

import pytest

SECONDS = 300


@pytest.fixture(autouse=True)
def time_limit():
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
