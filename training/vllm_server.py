"""Checks before a run with rollouts by vLLM: what is installed, and whether its server answers."""

import httpx
from trl.import_utils import is_vllm_available

from t2s_agent.errors import T2SError
from training.recipe import Recipe

_WAIT_S = 5.0


def require_vllm(recipe: Recipe) -> None:
    """Raises where a recipe asks for vLLM and it cannot be used; does nothing for other rollouts.

    `model_unavailable` where vLLM is not installed, `endpoint_failed` where no server answers.
    """
    vllm = recipe.rollout.vllm
    if vllm is None:
        return
    if not is_vllm_available():
        raise T2SError(
            "model_unavailable",
            "vllm is not installed here",
            "pip install 'trl[vllm]', or rollout.engine=shared rollout.vllm=null",
        )
    if vllm.mode == "colocate":
        return
    address = f"http://{vllm.host}:{vllm.port}"
    try:
        httpx.get(f"{address}/health", timeout=_WAIT_S).raise_for_status()
    except httpx.HTTPError as error:
        raise T2SError(
            "endpoint_failed",
            f"no vLLM server answers at {address} ({type(error).__name__})",
            f"Start it on another GPU first: trl vllm-serve --model {recipe.policy.name} --port {vllm.port}",
        ) from error
