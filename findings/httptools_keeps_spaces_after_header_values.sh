#!/bin/sh
# What a web server in Python takes for a header's value depends on whether httptools is installed.
#
# One would guess: spaces and tabs around a value are no part of it (RFC 9110, 5.5), and uvicorn's two parsers agree.
# What happens: with httptools, which uvicorn chooses by itself where it is installed, those before the value are removed and those after
#   it stay; with h11 both are removed.
# Versions: uvicorn 0.54.0 with httptools 0.9.0 and h11 0.16.0.
# Why it matters: MCP of 2026-07-28 compares the header Mcp-Name with the name in the request; with httptools a server refuses requests that
#   the conformance suite wants accepted, and a package that nobody asked for decides it.
# Where t2s-agent handles it: t2s_agent/server/http.py names h11.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet "uvicorn==0.54.0" "httptools==0.9.0" "h11==0.16.0"
venv/bin/python - <<'PY'
import socket
import sys
import threading
import time

import h11
import httptools
import uvicorn

print("uvicorn", uvicorn.__version__, "httptools", httptools.__version__, "h11", h11.__version__)


async def echo(scope, receive, send):
    body = dict(scope["headers"])[b"mcp-name"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body + b"|"})


def value_seen(parser):
    server = uvicorn.Server(uvicorn.Config(echo, port=0, http=parser, lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    with socket.create_connection(server.servers[0].sockets[0].getsockname()) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nMcp-Name: \t count \t\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    server.should_exit = True
    thread.join()
    return next(line for line in answer.partition(b"\r\n\r\n")[2].split(b"\r\n") if b"|" in line).rstrip(b"|")


seen = {parser: value_seen(parser) for parser in ("h11", "httptools", "auto")}
for parser, value in seen.items():
    print(f"http={parser!r}: the value is {value!r}")
sys.exit(0 if seen == {"h11": b"count", "httptools": b"count \t", "auto": b"count \t"} else "the behaviour has changed")
PY
