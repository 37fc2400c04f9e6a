"""A chat server on loopback that answers every POST with what a function makes of its body, and models that write in a frame."""

import base64
import io
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image

from t2s_agent.prompting.frames import Size, smart_size


@contextmanager
def chat_server(reply):
    """`reply(body)` gives (status, dict or bytes) or (status, dict or bytes, headers); yields (URL, list of the bodies seen)."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            seen.append(body)
            status, content, *headers = reply(body)
            content = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in (headers[0] if headers else {}).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def said(text, finish="stop", used=None, **message):
    """A completion with this content."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    return {"object": "chat.completion", "choices": [choice], "usage": used or {"completion_tokens": 50}}


def picture_size(body):
    """Width and height of the picture in a request."""
    for message in body["messages"]:
        if isinstance(message["content"], list):
            for part in message["content"]:
                if part["type"] == "image_url":
                    data = base64.b64decode(part["image_url"]["url"].partition(",")[2])
                    return Image.open(io.BytesIO(data)).size
    return None


def resized(body, least=4, most=16384, patch=28):
    """The size that a server with these limits of image tokens gives the picture of a request."""
    size = smart_size(Size(*picture_size(body)), patch, least * patch**2, most * patch**2)
    return size.width, size.height


def writes(shares, *, width=1000.0, height=1000.0, y_first=False, key="bbox_2d", digits=0, labels=None, xywh=False):
    """The JSON of boxes that are given as shares of the picture, in a frame of this size."""
    listed = []
    for index, (x1, y1, x2, y2) in enumerate(shares):
        numbers = [x1 * width, y1 * height, x2 * width, y2 * height]
        if xywh:
            numbers = [numbers[0], numbers[1], numbers[2] - numbers[0], numbers[3] - numbers[1]]
        if y_first:
            numbers = [numbers[1], numbers[0], numbers[3], numbers[2]]
        item = {key: [round(n, digits) if digits else round(n) for n in numbers]}
        listed.append(item | ({"label": labels[index]} if labels else {}))
    return "```json\n" + json.dumps(listed) + "\n```"
