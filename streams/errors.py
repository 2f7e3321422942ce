"""The errors of Dovetail, cut by what has to be done about them.

    DovetailError
      Retryable         try again, the same call may succeed
        Throttled         the other side asked us to wait (``retry_after`` seconds)
        Unavailable       no answer, or a gateway's; counts towards the circuit breaker
        TokenExpired      sign in again, then repeat
        Conflict          somebody else wrote meanwhile: read, compute and write again
      Refused           the other side said no for good: becomes an outcome, shown to people
      Unreadable        this message can never be understood: becomes a dead letter
      Misconfigured     nobody's message is wrong, we are: stop, not ready, name setting and fix

Every error has a ``code`` from a closed list (it becomes a metric label), a message for people and
the next thing to do.
"""

from __future__ import annotations


class DovetailError(Exception):
    """Base of all our errors."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} ({self.advice})" if self.advice else self.message


class Retryable(DovetailError):
    """The same call may succeed later; ``retry_after`` is in seconds, None when nobody said."""

    code = "retryable"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        advice: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, code=code, advice=advice)
        self.retry_after = retry_after


class Throttled(Retryable):
    code = "throttled"


class Unavailable(Retryable):
    code = "unavailable"


class TokenExpired(Retryable):
    code = "token_expired"


class Conflict(Retryable):
    code = "conflict"


class Refused(DovetailError):
    code = "refused"


class Unreadable(DovetailError):
    code = "unreadable"


class Misconfigured(DovetailError):
    code = "misconfigured"
