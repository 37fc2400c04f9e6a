"""Something for real clients to try the server on: the demo scene, and a model that answers rightly, or slowly.

    python -m tests.clients.stage FOLDER     fills FOLDER, prints what to export, and serves the model until it is stopped

The model speaks the OpenAI protocol on loopback. It knows tanks and quays from the scene's truth; a question with the
word "slowly" takes it ten seconds. `set_scripted` does without a model: the same answers, from a file.
"""

import json
import shutil
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DEMO = Path(__file__).parents[2] / "t2s_agent" / "nano" / "demo"
SIDE_PX = 640  # of the demo scene
SLOW_S = 10.0
CATEGORIES = {"tank": "storage tank", "quay": "harbor", "ship": "ship"}
_stopped = threading.Event()


class Model(BaseHTTPRequestHandler):
    """Answers from the truth, in thousandths of the picture, as Qwen3-VL does."""

    truth = json.loads((DEMO / "harbour.truth.json").read_text(encoding="utf-8"))

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = asked["messages"][-1]["content"][-1]["text"]
        if "slowly" in question:
            _stopped.wait(SLOW_S)
        wanted = [category for word, category in CATEGORIES.items() if word in question.split("provide:")[0]]
        answer = _answer(self.truth["objects"], wanted)
        text = answer if "bbox_2d" in question else "A round white roof on a dark yard."
        body = json.dumps({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def set_scripted(folder: Path) -> dict:
    """Fills a folder with the demo scene and a script of answers; returns the settings of a server that needs no model."""
    (folder / "imagery").mkdir(parents=True, exist_ok=True)
    shutil.copy(DEMO / "harbour.tif", folder / "imagery")
    script = [
        {"question": question, "raw": _answer(Model.truth["objects"], [category]), "frame": "relative"}
        for question, category in {"storage tanks": "storage tank", "the quay": "harbor", "ships": "ship"}.items()
    ]
    (folder / "answers.json").write_text(json.dumps(script), encoding="utf-8")
    return {
        "roots": [folder / "imagery"],
        "store": folder / "results",
        "prompter": f"scripted:{folder / 'answers.json'}",
        "segmenter": "box",
    }


def _answer(objects: list[dict], wanted: list[str]) -> str:
    found = [_instance(one) for one in objects if one["category"] in wanted]
    return f"<think>They are {', '.join(wanted) or 'not here'}.</think><answer>{json.dumps(found)}</answer>"


def _instance(one: dict) -> dict:
    """Box and two points of an object that lies along x or y."""
    x, y = one["centroid_px"]
    long, short = one["length_m"] / 2 / 0.5, one["width_m"] / 2 / 0.5  # half, in pixels of half a metre
    across = one["heading_deg"] % 180 == 90
    dx, dy = (short, long) if across else (long, short)
    box = [x - dx, y - dy, x + dx, y + dy]
    points = [[x - dx / 3, y - dy / 3], [x + dx / 3, y + dy / 3]]
    return {"bbox_2d": _thousandths(box), "positive_points": [_thousandths(point) for point in points]}


def _thousandths(pixels: list[float]) -> list[int]:
    return [round(1000 * value / SIDE_PX) for value in pixels]


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    (folder / "imagery").mkdir(parents=True, exist_ok=True)
    shutil.copy(DEMO / "harbour.tif", folder / "imagery")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    print(f"export T2S_PROMPTER=http://127.0.0.1:{server.server_port}/v1#qwen3-staged")
    print(f"export T2S_ROOTS={folder / 'imagery'} T2S_STORE={folder / 'results'}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        _stopped.set()


if __name__ == "__main__":
    main()
