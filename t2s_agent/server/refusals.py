"""Rewrites the SDK's long validation errors for bodies that are not JSON-RPC messages into short ones."""

import json

from mcp_types import INVALID_REQUEST
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_RAW = "Validation error"  # the beginning of such a text
_PLAIN = "The body is not one JSON-RPC request, notification or response"


class PlainRefusals:
    """Middleware that rewrites responses of status 400 whose JSON-RPC error is a raw validation error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held: list[Message] = []

        async def plainly(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_refusal(message):
                held.append(message)
            elif held:
                held.append(message)
                if not message.get("more_body", False):
                    await _send_plain(held, send)
                    held.clear()
            else:
                await send(message)

        await self._app(scope, receive, plainly)


def _is_refusal(start: Message) -> bool:
    kind = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] == 400 and kind.startswith("application/json")


async def _send_plain(held: list[Message], send: Send) -> None:
    start, *parts = held
    body = b"".join(part.get("body", b"") for part in parts)
    answer = json.loads(body)
    error = answer.get("error")
    if isinstance(error, dict) and str(error.get("message", "")).startswith(_RAW):
        answer["error"] = {"code": INVALID_REQUEST, "message": _PLAIN}
        body = json.dumps(answer).encode()
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
