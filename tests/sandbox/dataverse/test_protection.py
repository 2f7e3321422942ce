"""The sliding window of the service-protection limits, on a clock that is moved by hand."""

from __future__ import annotations

import pytest

from app.sandbox.dataverse.web.protection import Limits, ServiceProtection, Throttled

REMAINING = "x-ms-ratelimit-burst-remaining-xrm-requests"
SECONDS = "x-ms-ratelimit-time-remaining-xrm-requests"


class Seconds:
    """A clock that shows what it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def call(
    protection: ServiceProtection, seconds: Seconds, user: str = "u", lasts: float = 0
) -> None:
    began = protection.enter(user)
    seconds.now += lasts
    protection.leave(user, began)


def test_room_comes_back_when_the_oldest_request_leaves_the_window(seconds: Seconds) -> None:
    protection = ServiceProtection(Limits(requests=2, enabled=True), seconds)
    call(protection, seconds)
    seconds.now += 100
    call(protection, seconds)
    with pytest.raises(Throttled) as refused:
        protection.enter("u")
    assert (refused.value.code, refused.value.retry_after) == ("0x80072322", 200)
    seconds.now += 199
    with pytest.raises(Throttled) as refused:
        protection.enter("u")
    assert refused.value.retry_after == 2, "grows for who comes too early"
    seconds.now += 1
    call(protection, seconds)
    assert protection.throttled == 2


def test_time_spent_counts_and_is_forgotten_with_its_request(seconds: Seconds) -> None:
    protection = ServiceProtection(Limits(execution_seconds=30, enabled=True), seconds)
    call(protection, seconds, lasts=20)
    assert protection.headers("u")[SECONDS] == "10.00"
    call(protection, seconds, lasts=15)
    with pytest.raises(Throttled) as refused:
        protection.enter("u")
    assert (refused.value.code, refused.value.retry_after) == ("0x80072321", 285)
    seconds.now += 285
    call(protection, seconds)
    assert protection.headers("u")[SECONDS] == "15.00"


def test_only_running_requests_count_as_concurrent(seconds: Seconds) -> None:
    protection = ServiceProtection(Limits(concurrent=2, enabled=True), seconds)
    first, _ = protection.enter("u"), protection.enter("u")
    with pytest.raises(Throttled) as refused:
        protection.enter("u")
    assert (refused.value.code, refused.value.retry_after) == ("0x80072326", 1)
    protection.leave("u", first)
    protection.enter("u")


def test_each_user_has_limits_of_his_own(seconds: Seconds) -> None:
    protection = ServiceProtection(Limits(requests=1, enabled=True), seconds)
    call(protection, seconds, "one")
    call(protection, seconds, "two")
    with pytest.raises(Throttled):
        protection.enter("one")


def test_switched_off_it_counts_and_refuses_nothing(seconds: Seconds) -> None:
    protection = ServiceProtection(Limits(requests=1), seconds)
    for _ in range(3):
        call(protection, seconds)
    assert protection.headers("u")[REMAINING] == "0"
    assert protection.throttled == 0
