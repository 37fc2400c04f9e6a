"""A headless Chromium, driven over a pair of pipes by the DevTools protocol, and the page served on loopback."""

import base64
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from evals.scenes import SceneTruth, demo, write
from t2s_agent.pipeline import Engine
from t2s_agent.server.page.routes import page_routes
from t2s_agent.settings import load_settings

TANKS = "Where are the storage tanks?"
HOSTILE = "<b>boats</b>"
LABEL = "<img src=x onerror=document.title='owned'>"
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --disable-default-apps --no-default-browser-check --hide-scrollbars
    --remote-debugging-pipe""".split()  # noqa: SIM905 (reads better)
# Chromium reads commands from descriptor 3 and answers on 4. Nothing else is inherited.
LAUNCH = (
    "import fcntl, os, sys\n"
    "given, taken = (fcntl.fcntl(int(n), fcntl.F_DUPFD, 10) for n in sys.argv[1:3])\n"
    "os.dup2(given, 3); os.dup2(taken, 4)\n"
    "os.execv(sys.argv[3], sys.argv[3:])\n"
)


class Chromium:
    """One browser for a test run."""

    def __init__(self, program: str, profile: Path) -> None:
        command_out, self._to = os.pipe()
        self._from, answer_in = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(command_out), str(answer_in)]
            + [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(command_out, answer_in),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(command_out)
        os.close(answer_in)
        self._ids, self._rest = itertools.count(1), b""
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """Sends a command and reads on until its answer; events on the way are kept."""
        id_ = next(self._ids)
        message = {"id": id_, "method": method, "params": params, **({"sessionId": session} if session else {})}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == id_:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def wait(self, method: str) -> dict[str, Any]:
        """What the next event of this name says."""
        while True:
            found = next((event for event in self.events if event["method"] == method), None)
            if found is not None:
                self.events.remove(found)
                return found["params"]
            self.events.append(self._read())

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._from, 1 << 20)
            assert more, "Chromium ended"
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\0")
        return json.loads(line)

    def tab(self) -> "Tab":
        context = self.call("Target.createBrowserContext")["browserContextId"]  # storage of its own
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Tab(self, session, context)

    def close(self) -> None:
        self.call("Browser.close")
        self._process.wait(timeout=20)
        os.close(self._to)
        os.close(self._from)


class Tab:
    """One page in the browser, seen and used as a person does."""

    def __init__(self, chromium: Chromium, session: str, context: str) -> None:
        self._chromium, self._session, self._context = chromium, session, context
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._chromium.call(method, self._session, **params)

    def open(self, address: str, width: int = 1400, height: int = 900, *, dark: bool = False) -> "Tab":
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=address)
        return self

    def js(self, expression: str) -> Any:
        """The value of an expression; of a promise, what it comes to."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def inside(self) -> "Tab":
        """The page in this page's sandboxed frame, which has a process of its own."""
        targets = self._chromium.call("Target.getTargets")["targetInfos"]
        frame = next(t for t in targets if t["type"] == "iframe" and t["browserContextId"] == self._context)
        attached = self._chromium.call("Target.attachToTarget", targetId=frame["targetId"], flatten=True)
        return Tab(self._chromium, attached["sessionId"], self._context)

    def until(self, condition: str) -> Any:
        """Waits for a change of the page after which the condition holds, and gives its value."""
        return self.js(
            f"""new Promise((done, failed) => {{
              const look = () => {{ let v; try {{ v = ({condition}); }} catch {{ v = false; }} if (v) {{ watch.disconnect(); done(v); }} return v; }};
              const watch = new MutationObserver(look);
              watch.observe(document, {{subtree: true, childList: true, attributes: true, characterData: true}});
              if (!look()) setTimeout(() => failed(new Error({json.dumps(condition)} + " never came true: " + document.body?.innerText.slice(0, 400))), 60000);
            }})"""
        )

    def centre(self, selector: str) -> tuple[float, float]:
        box = self.js(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'nearest'}}); "
            "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        return box[0], box[1]

    def hover(self, selector: str) -> None:
        x, y = self.centre(selector)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, selector: str, *, button: str = "left") -> None:
        self.click_at(*self.centre(selector), button=button)

    def click_at(self, x: float, y: float, *, button: str = "left") -> None:
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)

    def on_picture(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the scene is on the screen."""
        place = self.js(
            f"(() => {{ const s = document.querySelector('.stage'); s.scrollIntoView({{block: 'nearest'}}); return s.viewer.screenOf([{x}, {y}]); }})()"
        )
        return place[0], place[1]

    def on_region(self, id_: int) -> tuple[float, float]:
        """Where the middle of a region is on the screen; its outline has to be there."""
        box = self.js(
            f"document.querySelector('.stage').viewer.sources.outlines.getFeatureById({id_}).getGeometry().getExtent()"
        )
        return self.on_picture((box[0] + box[2]) / 2, -(box[1] + box[3]) / 2)

    def hover_at(self, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.hover_at(*start)
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=start[0], y=start[1], button="left", clickCount=1)
        for share in (0.3, 0.7, 1.0):
            x, y = (a + (b - a) * share for a, b in zip(start, end, strict=True))
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, button="left", buttons=1)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=end[0], y=end[1], button="left", clickCount=1)

    def press(self, key: str, code: int = 0) -> None:
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            extra = text if kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **extra)

    def choose_file(self, selector: str, path: Path) -> None:
        """Chooses a file as a person does in the browser's own dialog."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def downloaded(self, folder: Path, selector: str) -> Path:
        """Clicks and waits for the file that comes of it."""
        where = {"behavior": "allow", "browserContextId": self._context, "downloadPath": str(folder)}
        self._chromium.call("Browser.setDownloadBehavior", **where, eventsEnabled=True)
        self.click(selector)
        name = self._chromium.wait("Browser.downloadWillBegin")["suggestedFilename"]
        while self._chromium.wait("Browser.downloadProgress")["state"] == "inProgress":
            pass
        return folder / name

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def colour_at(self, x: float, y: float) -> tuple[int, ...]:
        """The colour of a pixel of the screen: red, green, blue."""
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        with Image.open(io.BytesIO(data)) as picture:
            red, green, blue = picture.convert("RGB").getpixel((int(x), int(y)))  # type: ignore[misc]  # of RGB it is a tuple
            return red, green, blue

    def complaints(self) -> list[str]:
        """What the browser had to say against the page: exceptions, refused content, errors on the console."""
        found = []
        for event in self._own_events():
            params = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(params["exceptionDetails"]["exception"].get("description", "exception"))
            elif event["method"] == "Log.entryAdded" and params["entry"]["level"] == "error":
                found.append(params["entry"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
                found.append(str(params["args"]))
        return found

    def asked(self) -> list[str]:
        """Addresses that the page has loaded from."""
        return [e["params"]["request"]["url"] for e in self._own_events() if e["method"] == "Network.requestWillBeSent"]

    def _own_events(self) -> list[dict[str, Any]]:
        self.js("0")  # whatever happened before has been told by now
        return [event for event in self._chromium.events if event.get("sessionId") == self._session]

    def close(self) -> None:
        self._chromium.call("Target.disposeBrowserContext", browserContextId=self._context)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip(
            "no Chromium on this machine: the page is not tried in a browser (on Debian: apt-get install chromium)"
        )
    browser = Chromium(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def tab(chromium: Chromium) -> Iterator[Tab]:
    opened = chromium.tab()
    yield opened
    opened.close()


def boxes_of(truth: SceneTruth, category: str) -> list[tuple[int, int, int, int]]:
    found = []
    for thing in truth.objects:
        if thing.category == category:
            (y, x), (h, w) = thing.offset, thing.mask.shape
            found.append((x, y, x + w, y + h))
    return found


def said(boxes: list[tuple[int, int, int, int]], label: str, thinking: str) -> str:
    body = json.dumps([{"bbox_2d": list(box), "label": label} for box in boxes])
    return f"<think>{thinking}</think><answer>```json{body}```</answer>"


@pytest.fixture(scope="session")
def truth() -> SceneTruth:
    return demo()


@pytest.fixture(scope="session")
def harbour(truth: SceneTruth, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write(truth, folder / "harbour.tif")
    return folder / "harbour.tif"


@pytest.fixture
def engine(tmp_path: Path, truth: SceneTruth, harbour: Path) -> Engine:
    """Scripted answers with the true boxes, filled boxes for masks, one folder of images."""
    script = [
        {"question": TANKS, "raw": said(boxes_of(truth, "storage tank"), "tank", "Round roofs by the quay.")},
        {"question": HOSTILE, "raw": said(boxes_of(truth, "ship"), LABEL, "<script>document.title='owned'</script>")},
        {"question": "helicopters", "raw": said([], "", "I see none.")},
    ]
    (tmp_path / "script.json").write_text(json.dumps(script), encoding="utf-8")
    settings = load_settings(
        store=tmp_path / "store",
        prompter=f"scripted:{tmp_path / 'script.json'}",
        segmenter="box",
        roots=(harbour.parent,),
    )
    return Engine.open(settings)


@pytest.fixture
def listening() -> Iterator[Callable[[Starlette], str]]:
    """Serves an application on a free port of loopback and gives its address."""
    servers: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: Starlette) -> str:
        ready = threading.Event()
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
        begin = server.startup

        async def startup(sockets: Any = None) -> None:
            await begin(sockets)
            ready.set()

        server.startup = startup  # type: ignore[method-assign]  # uvicorn has no event for it
        thread = threading.Thread(target=server.run)
        thread.start()
        servers.append((server, thread))
        assert ready.wait(60)
        port = server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}/"

    yield start
    for server, thread in servers:
        server.should_exit = server.force_exit = True
        thread.join(10)


@pytest.fixture
def serve(engine: Engine, listening: Callable[[Starlette], str]) -> Callable[..., str]:
    """Serves the page alone and gives its address; with a token, if one is named."""

    def start(token: str = "", **how: Any) -> str:
        def engine_of(request: Any) -> Engine:
            if token and request.headers.get("authorization") != f"Bearer {token}":
                raise HTTPException(401, "Sign in")
            return engine

        return listening(Starlette(routes=page_routes(engine_of, images_of=lambda _: ["harbour.tif"], **how)))

    return start
