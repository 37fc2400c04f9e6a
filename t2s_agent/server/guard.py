"""Checks every HTTP request: host, origin, token, rate and size."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from urllib.parse import urlsplit

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.transport_security import RequestBodyLimitMiddleware
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from t2s_agent.results.files import LOCAL
from t2s_agent.server.service import OWNER_KEY
from t2s_agent.server.tokens import Tokens

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_GUESSES = 60  # wrong tokens a minute from one address
_REMEMBERED = 10_000  # callers with a stored rate
_FREQUENT = 10  # times the rate, for small reads of which a picture needs many


class Guard:
    """Refuses requests that are not allowed; writes the owner of an allowed request into its scope.

    It does not know paths: the routes decide which of them need an owner (`public` and `Owned`). The one exception is
    `unguarded`: routes that answer for any host name and without limits, such as a health check. Requests to `frequent` routes, such
    as tiles of a picture, are counted apart, and ten times as many are allowed. Routes that are `streamed` limit what they read by
    themselves: what a known caller sends to them is not held in memory.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Sequence[str],
        origins: Sequence[str],
        tokens: Tokens | None,
        max_body_bytes: int,
        rate_per_minute: int,
        unguarded: Sequence[BaseRoute] = (),
        frequent: Sequence[BaseRoute] = (),
        streamed: Sequence[BaseRoute] = (),
    ) -> None:
        self._app, self._unlimited = RequestBodyLimitMiddleware(app, max_body_bytes), app
        self._unguarded, self._frequent, self._streamed = unguarded, frequent, streamed
        self._hosts = {host.lower() for host in (*LOOPBACK, *hosts)}
        self._origins = {origin.rstrip("/").lower() for origin in origins}
        self._tokens = tokens
        self._rates, self._frequent_rates = Rates(rate_per_minute), Rates(_FREQUENT * rate_per_minute)
        self._guesses = Rates(_GUESSES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # no route of ours uses websockets
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http" or _matches(self._unguarded, scope):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        own_limit = OWNER_KEY in scope and _matches(self._streamed, scope)
        await (refusal or (self._unlimited if own_limit else self._app))(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        """Returns the response to a refused request; None for an allowed one, with its owner in the scope."""
        headers = Headers(scope=scope)
        if not self._is_own_host(headers.get("host", "")):
            return _refused(421, "this host name is not served here", "Add it with --allowed-host")
        origin = headers.get("origin")
        if origin is not None and not self._is_own_origin(origin):
            return _refused(403, "pages of this origin may not call", "Add it with --allowed-origin")
        address = (scope.get("client") or ("?",))[0]
        scheme, _, token = headers.get("authorization", "").partition(" ")
        owner = LOCAL if self._tokens is None else None
        if self._tokens is not None and scheme.lower() == "bearer":
            owner = self._tokens.owner(token.strip())
            if owner is None and not self._guesses.allow(address):
                return _refused(429, "too many wrong tokens", "Wait a minute", {"Retry-After": "60"})
        rates = self._frequent_rates if owner is not None and _matches(self._frequent, scope) else self._rates
        if not rates.allow(owner or address):
            return _refused(429, "too many requests", "Wait some seconds", {"Retry-After": "5"})
        if owner is not None:
            scope[OWNER_KEY] = owner
        if owner is not None and self._tokens is not None:
            # ties the SDK's sessions to the credential that opened them
            scope["user"] = AuthenticatedUser(AccessToken(token="", client_id=owner, scopes=[]))
        return None

    def _is_own_host(self, host: str) -> bool:
        return _name(host) in self._hosts or host.lower() in self._hosts

    def _is_own_origin(self, origin: str) -> bool:
        parts = urlsplit(origin.lower())
        return origin.rstrip("/").lower() in self._origins or (
            parts.scheme in ("http", "https") and self._is_own_host(parts.netloc)
        )


class Owned:
    """An application for authenticated callers only: without an owner in the scope it answers 401, for every path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        signed_in = scope["type"] == "http" and isinstance(scope.get(OWNER_KEY), str)
        await (self._app if signed_in else _unauthorized())(scope, receive, send)


def _unauthorized() -> JSONResponse:
    return _refused(
        401,
        "no valid token",
        "Send 'Authorization: Bearer TOKEN'",
        {"WWW-Authenticate": 'Bearer realm="t2s-agent"'},
    )


class Rates:
    """Rate limits by token buckets, one per caller: `per_minute` requests a minute, and as many at once."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # caller -> left, when

    def allow(self, caller: str) -> bool:
        """Whether this caller may send a request now; a rate of 0 per minute means no limit."""
        if not self._per_minute:
            return True
        now = time.monotonic()
        left, when = self._buckets.pop(caller, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - when) * self._per_minute / 60)
        self._buckets[caller] = (left - 1 if left >= 1 else left, now)
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        return left >= 1


def _matches(routes: Sequence[BaseRoute], scope: Scope) -> bool:
    return any(route.matches(scope)[0] is Match.FULL for route in routes)


def _name(host: str) -> str:
    """Returns a host without its port, in lower case; [::1]:80 becomes ::1."""
    host = host.lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _refused(status: int, what: str, fix: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": f"{what}. {fix}."}, status, headers)
