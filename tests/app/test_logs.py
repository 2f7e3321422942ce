"""The logs: their two forms, and that no secret gets into either."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest

from app.logs import MASK, LogFormat, Mask, set_up_logs

CANARY = "canary/59b1 +ü\"x'"


@pytest.fixture
def logged() -> Iterator[Callable[[LogFormat, str], io.StringIO]]:
    """Sets the logs up and gives what is written; afterwards everything is as before."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    names = ("aiokafka", "httpx", "httpcore", "msal", "urllib3", "asyncio", "uvicorn")
    levels = {name: logging.getLogger(name).level for name in (*names, "faust", "mode")}

    def start(log_format: LogFormat, level: str = "INFO") -> io.StringIO:
        stream = io.StringIO()
        set_up_logs(level, log_format, stream)
        return stream

    yield start
    root.handlers[:], root.level = before
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(False)


def test_json_is_one_object_per_line_with_the_extra_fields(
    logged: Callable[[LogFormat, str], io.StringIO],
) -> None:
    stream = logged("json", "INFO")
    logging.getLogger("streams.decode").warning(
        "two\nlines %s", "é", extra={"at": "t/0/1", "count": 3, "level": "mine"}
    )
    (line,) = stream.getvalue().splitlines()
    found = json.loads(line)
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "warning",
        "logger": "streams.decode",
        "message": "two\nlines é",
        "at": "t/0/1",
        "count": 3,
    }


def test_json_begins_with_when_and_how_bad(
    logged: Callable[[LogFormat, str], io.StringIO],
) -> None:
    stream = logged("json", "INFO")
    logging.getLogger("app").info("working", extra={"rules": "abc"})
    assert [*json.loads(stream.getvalue())] == ["time", "level", "logger", "message", "rules"]


@pytest.mark.parametrize(("level", "shown"), [("INFO", False), ("DEBUG", True)])
def test_that_fausts_parts_start_and_stop_is_for_who_debugs_them(
    logged: Callable[[LogFormat, str], io.StringIO], level: str, shown: bool
) -> None:
    stream = logged("text", level)
    logging.getLogger("streams.engine.fetching").info("[^--%s]: Starting...", "Fetcher")
    logging.getLogger("streams.engine.fetching").warning("[^--%s]: Crashed", "Fetcher")
    assert ("Starting" in stream.getvalue()) is shown
    assert "Crashed" in stream.getvalue()


def test_text_is_readable(logged: Callable[[LogFormat, str], io.StringIO]) -> None:
    stream = logged("text", "INFO")
    logging.getLogger("app").info("working", extra={"rules": "abc"})
    assert stream.getvalue().endswith(" INFO    app: working rules=abc\n")


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_secret_is_masked_wherever_it_turns_up(
    logged: Callable[[LogFormat, str], io.StringIO], log_format: LogFormat
) -> None:
    MASK.add(CANARY)
    stream = logged(log_format, "INFO")
    log = logging.getLogger("app")
    log.info("signing in with %s", CANARY, extra={"body": {"password": CANARY}})
    log.info("POST /token?secret=canary%2F59b1%20%2B%C3%BC%22x%27&x=canary%2F59b1+%2B%C3%BC%22x%27")
    try:
        raise ValueError(f"the server said: {CANARY}")
    except ValueError:
        log.exception("failed")
    assert "59b1" not in stream.getvalue()
    assert "ValueError" in stream.getvalue()
    assert "signing in with ****" in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer eyJhbGciOi.J9-x_y", "Authorization: Bearer ****"),
        ("'Authorization': 'Basic ZG92ZXRhaWw6eA=='", "'Authorization': 'Basic ****'"),
        ("sent Bearer eyJhbGciOi.J9-x_yzzz on", "sent Bearer **** on"),
        ("OTCSTicket: abc/def+1", "OTCSTicket: ****"),
        ("{'OTCSTicket': 'abc/def+1'}", "{'OTCSTicket': '****'}"),
        ("Cookie: a=b; LLCookie=abc/def+1; c=d", "Cookie: a=b; LLCookie=****; c=d"),
        (
            "headers=[(b'host', b'h'), (b'OTCSTicket', b'abc/def+1='), (b'accept', b'*/*')]",
            "headers=[(b'host', b'h'), (b'OTCSTicket', b'****'), (b'accept', b'*/*')]",
        ),
        ("[('otcsticket', 'it\\'s'), ('a', 'b')]", "[('otcsticket', '****'), ('a', 'b')]"),
        ('(b"authorization", b"Basic dTpw")', '(b"authorization", b"****")'),
        ("(b'set-cookie', b'LLCookie=abc; Path=/')", "(b'set-cookie', b'****')"),
        ("(b'otcsticketexpires', b'1700000000')", "(b'otcsticketexpires', b'1700000000')"),
        ("client_secret=abc&grant=x", "client_secret=****&grant=x"),
        ("password=hunter2", "password=****"),
        ("https://user:pass@host/path", "https://user:****@host/path"),
        ("a token was asked for", "a token was asked for"),
        ("basic authentication", "basic authentication"),
    ],
)
def test_a_login_is_masked_by_its_shape(text: str, expected: str) -> None:
    assert Mask()(text) == expected


def test_a_secret_within_a_secret_leaves_no_rest() -> None:
    mask = Mask()
    mask.add("tail")
    mask.add("dovetail-secret")
    assert mask("x dovetail-secret dovetail") == "x **** dove****"


def test_what_is_too_short_to_be_a_secret_does_not_black_out_the_logs() -> None:
    mask = Mask()
    mask.add("a")
    assert mask("a banana") == "a banana"


def test_third_parties_are_quiet_unless_somebody_looks_for_a_fault(
    logged: Callable[[LogFormat, str], io.StringIO],
) -> None:
    stream = logged("text", "INFO")
    logging.getLogger("aiokafka.conn").info("connected")
    logging.getLogger("aiokafka.conn").warning("lost")
    assert "connected" not in stream.getvalue()
    assert "lost" in stream.getvalue()
    stream = logged("text", "DEBUG")
    logging.getLogger("aiokafka.conn").info("connected")
    assert "connected" in stream.getvalue()
