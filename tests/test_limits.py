"""Limits: counted over all rows of one table, by as many workers as there are."""

from __future__ import annotations

import numpy as np
import pytest

from guard.config import ApiKey
from guard.errors import Overloaded
from guard.limits import Limits, clear_in_flight, table_shape

KEYS = (
    ApiKey(name="free", sha256="0" * 64),
    ApiKey(name="slow", sha256="1" * 64, requests_per_minute=3),
    ApiKey(name="narrow", sha256="2" * 64, max_in_flight=2, requests_per_minute=5),
)


def workers(count: int, most: int = 4) -> list[Limits]:
    table = np.zeros(table_shape(count, KEYS), dtype=np.int64)
    return [Limits(most, KEYS, table, row) for row in range(count)]


def test_in_flight_is_counted_over_all_workers() -> None:
    one, two = workers(2)
    for limits in (one, two, one, two):
        limits.enter("free")
    for limits in (one, two):
        with pytest.raises(Overloaded, match="Too many requests"):
            limits.enter("free")
    two.leave("free")
    one.enter(None)


def test_a_key_with_a_rate_is_counted_over_all_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 600.0
    monkeypatch.setattr("guard.limits.time.monotonic", lambda: clock)
    one, two = workers(2, most=100)
    for limits in (one, two, one):
        limits.enter("slow")
    for limits in (one, two):
        with pytest.raises(Overloaded, match="rate limit"):
            limits.enter("slow")
        limits.enter("free")
    clock = 660.0  # the next minute
    for limits in (two, two, one):
        limits.enter("slow")
    with pytest.raises(Overloaded):
        one.enter("slow")


def test_a_refused_request_is_not_counted() -> None:
    (only,) = workers(1, most=1)
    only.enter(None)
    for _ in range(3):
        with pytest.raises(Overloaded):
            only.enter("slow")
    only.leave(None)
    for _ in range(3):
        only.enter("slow")
        only.leave("slow")
    with pytest.raises(Overloaded, match="rate limit"):
        only.enter("slow")


def test_a_key_has_so_many_requests_at_once_over_all_workers() -> None:
    one, two = workers(2, most=100)
    one.enter("narrow")
    two.enter("narrow")
    for limits in (one, two):
        with pytest.raises(Overloaded, match="with this key are being served"):
            limits.enter("narrow")
        limits.enter("free")
    two.leave("narrow")
    one.enter("narrow")


def test_a_worker_that_died_has_nothing_in_flight_but_what_its_keys_began() -> None:
    table = np.zeros(table_shape(2, KEYS), dtype=np.int64)
    one, two = (Limits(3, KEYS, table, row) for row in range(2))
    for _ in range(2):
        one.enter("narrow")
    clear_in_flight(table[0])
    for _ in range(3):
        two.enter("narrow")
        two.leave("narrow")
    two.enter(None)
    with pytest.raises(Overloaded, match="rate limit"):
        two.enter("narrow")
