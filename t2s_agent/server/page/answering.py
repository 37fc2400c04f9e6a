"""Answers the page's requests: who may ask, what comes back on an error, headers, bodies."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from t2s_agent.errors import Code, T2SError
from t2s_agent.pipeline import Engine
from t2s_agent.server.page.work import Discreet, error_of

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_PRIVATE = {
    **ALWAYS,
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
}
# A browser may keep it and has to ask each time whether it still counts, with its credential: another one gets nothing.
KEPT = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
_LARGEST_BODY = 64 * 2**10  # bytes; 200 points and a question need a fifth of it
_STATUS: dict[Code, int] = {
    "result_unknown": 404,
    "image_not_found": 404,
    "image_unreadable": 409,
    "limit_exceeded": 413,
    "result_damaged": 500,
    "output_unwritable": 500,
    "model_unavailable": 503,
    "model_failed": 502,
    "endpoint_failed": 502,
    "answer_unparsable": 502,
}

# pydantic's types of errors -> messages for users; braces are filled from the error's context
_WRONG = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "json_invalid": "is not JSON",
    "model_type": "is not an object",
    "string_type": "is not text",
    "string_unicode": "is not text",
    "string_too_short": "is empty",
    "string_too_long": "has more than {max_length} characters",
    "list_type": "is not a list",
    "tuple_type": "is not a pair of numbers",
    "too_long": "has more than {max_length} entries",
    "too_short": "has less than {min_length} entries",
    "float_type": "is not a number",
    "finite_number": "is not a finite number",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "int_parsing_size": "is too large",
}
Body = TypeVar("Body", bound=BaseModel)
Handler = Callable[[Request, Engine], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Answers:
    """Turns handlers into endpoints: each gets the Engine of whoever asks.

    `engine_of` gives that Engine, or raises HTTPException 401. `redact` takes out of a text what callers need not know of this machine.
    """

    def __init__(self, engine_of: Callable[[Request], Engine], redact: Discreet = str) -> None:
        self._engine_of, self.redact = engine_of, redact

    def json(self, body: dict[str, Any], status: int = 200) -> Response:
        """A JSON answer."""
        text = self.redact(json.dumps(body, ensure_ascii=False, allow_nan=False))
        return Response(text, status, media_type="application/json")

    def guarded(self, handler: Handler, *, changes: bool = False, takes: str = "application/json") -> Endpoint:
        """The endpoint of a handler. One that `changes` something refuses requests from pages of other sites.

        `takes` is the type of what is sent with POST: one that a browser sends to another site only after asking it.
        """

        async def endpoint(request: Request) -> Response:
            if changes:
                require_same_site(request, takes)
            try:
                response = await handler(request, self._engine_of(request))
            except T2SError as error:
                response = self.json({"error": error_of(error)}, _STATUS.get(error.code, 400))
            for name, value in _PRIVATE.items():
                response.headers.setdefault(name, value)
            return response

        return endpoint


def kept(request: Request, tag: str) -> Response | None:
    """The answer 304 where the browser has what `tag` (letters and digits) stands for; None where it has to be sent."""
    if request.headers.get("if-none-match") == f'"{tag}"':
        return Response(status_code=304, headers={**KEPT, "ETag": f'"{tag}"'})
    return None


def require_same_site(request: Request, takes: str) -> None:
    """Refuses requests from pages of other sites in a user's browser. Programs send neither header and pass."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    foreign = site not in ("same-origin", "none") if site else False
    if not site and origin:
        foreign = urlsplit(origin).netloc != request.headers.get("host")
    if foreign:
        raise HTTPException(403, "This request comes from another site")
    if request.method != "POST":  # without a body; no other site can send it before it was allowed to
        return
    if request.headers.get("content-type", "").split(";")[0].strip() != takes:
        raise HTTPException(415, f"Send {takes}")


async def body_of(request: Request, kind: type[Body]) -> Body:
    """Returns the request's JSON as a model. Raises `argument_invalid` with the first invalid field."""
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _LARGEST_BODY:
            raise T2SError("limit_exceeded", f"the request has more than {_LARGEST_BODY} bytes", "Send fewer points")
    try:
        return kind.model_validate_json(raw, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the request"
        why = _WRONG.get(first["type"], "is not what is needed").format(**first.get("ctx", {}))
        raise T2SError("argument_invalid", f"{where} {why}", f"Send {', '.join(kind.model_fields)}") from error
