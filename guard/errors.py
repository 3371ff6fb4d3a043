"""Every exception that guard raises on purpose.

GuardError
├── PolicyError            a policy file or directory cannot be used (holds every Problem found)
├── ConfigError            the server's own configuration cannot be used
├── RequestError           the client's request is refused; carries HTTP status, type, code, param
│   ├── AuthenticationError    no key, or an unknown one (401)
│   ├── PayloadTooLarge        the body is over the limit (413)
│   ├── UnknownRoute           not served here (404)
│   ├── WrongMethod            served, but not with this method (405)
│   └── Overloaded             a bounded queue or a limit is full (429 or 503)
├── UpstreamError          the model server failed; carries HTTP status
│   ├── UpstreamUnreachable    no connection (502)
│   ├── UpstreamTimeout        no answer, or no next byte, in time (504)
│   ├── UpstreamGarbage        an answer that is not what the endpoint promises (502)
│   ├── CannotContinue         an answer cannot be taken back and continued there; nothing is wrong
│   └── GenerationEnded        the engine ended a request in an error (502)
├── DetectorError          the detectors gave no verdict: the request fails closed (503)
├── EngineError            a model server, or what guard runs inside it, cannot do its work
└── EvaluateError          an evaluation's input or an arm of it cannot be used

`classifiers` is a library of its own and has its own small tree in `classifiers/errors.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


class GuardError(Exception):
    """Base of everything guard raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in one place, in the words an operator needs.

    `line` is 1-based; 0 where a file has no lines to point at. `key` is a dotted path such as
    `forget.entities[0].alias`.
    """

    file: str
    line: int
    key: str
    message: str
    level: str = "error"  # error | warning

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class PolicyError(GuardError):
    """A policy file or directory cannot be used. Holds every problem found, not only the first."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class ConfigError(GuardError):
    """The server's own configuration cannot be used."""


class RequestError(GuardError):
    """The client's request is refused with an OpenAI-shaped error.

    `message` must never repeat request or policy text: a refusal is not an oracle.
    """

    status = 400
    type = "invalid_request_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        if status is not None:
            self.status = status


class WrongMethod(RequestError):
    """A path that is served, but not with this method; `allow` lists those that are (405)."""

    status = 405

    def __init__(self, allow: str) -> None:
        super().__init__(f"Use {allow}.", code="method_not_allowed")
        self.allow = allow


class AuthenticationError(RequestError):
    """No API key, or one this server does not know."""

    status = 401
    type = "authentication_error"


class PayloadTooLarge(RequestError):
    """The request body is larger than the configured limit."""

    status = 413


class UnknownRoute(RequestError):
    """A path or method this proxy does not serve: everything unlisted is refused."""

    status = 404


class Overloaded(RequestError):
    """A bounded queue or a limit is full; the client may try again later."""

    status = 429
    type = "rate_limit_error"


class UpstreamError(GuardError):
    """The model server failed before or while answering."""

    status = 502
    code = "upstream_error"

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        if status is not None:
            self.status = status


class UpstreamUnreachable(UpstreamError):
    """No connection to the model server."""

    code = "upstream_unreachable"


class UpstreamTimeout(UpstreamError):
    """The model server did not answer, or stopped sending, in time."""

    status = 504
    code = "upstream_timeout"


class UpstreamGarbage(UpstreamError):
    """The model server sent something that is not an answer of this endpoint."""

    code = "upstream_invalid_response"


class CannotContinue(UpstreamError):
    """An answer that was cut cannot be continued faithfully by this model server."""

    code = "upstream_cannot_continue"


class GenerationEnded(UpstreamError):
    """The engine ended a request's generation in an error, inside a stream."""


class DetectorError(GuardError):
    """The detectors gave no verdict in time; the request fails closed."""


class EngineError(GuardError):
    """A model server could not be started, or what guard runs inside it cannot do its work."""


class EvaluateError(GuardError):
    """An evaluation's input, or an arm that it is to ask, cannot be used."""


class GuardModelError(GuardError):
    """A guard model cannot be made: of its data, its writer, its weights or its place."""
