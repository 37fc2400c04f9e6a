"""The same trial over another checkout of the product: an older commit, say, beside this tree's evals."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parents[2]
# The other checkout's t2s_agent is imported first and stays; its tools lie beside it; everything of evals is this tree's.
START = """
import importlib.util, resource, sys
other, here, gigabytes = sys.argv[1:4]
del sys.argv[1:4]
resource.setrlimit(resource.RLIMIT_AS, (int(float(gigabytes) * 2**30),) * 2)
sys.path.insert(0, other)
import t2s_agent
spec = importlib.util.spec_from_file_location(
    "t2s_agent.tools", f"{other}/tools/__init__.py", submodule_search_locations=[f"{other}/tools"]
)
sys.modules["t2s_agent.tools"] = t2s_agent.tools = importlib.util.module_from_spec(spec)
spec.loader.exec_module(t2s_agent.tools)
sys.path[0] = here
assert t2s_agent.__file__.startswith(other), t2s_agent.__file__
from evals.agent_trial.__main__ import main
main()
"""


def run_against(checkout: Path, arguments: Sequence[str], gigabytes: float) -> int:
    """Plays with the product of another checkout, in a process with so much address space; gives its exit code.

    What does not fit in that memory is a question without an answer, not a dead machine.
    """
    if not (checkout / "t2s_agent" / "__init__.py").is_file():
        raise ValueError(f"{checkout} is no checkout of this project")
    command = [sys.executable, "-c", START, str(checkout.resolve()), str(HERE), str(gigabytes), *arguments]
    return subprocess.run(command, check=False, cwd=HERE).returncode
