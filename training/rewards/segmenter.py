"""Opens the frozen segmenter of a recipe, with its store of embeddings."""

from t2s_agent.models import Models
from t2s_agent.segmenting.cache import EmbeddingCache
from t2s_agent.segmenting.segmenter import Segmenter
from t2s_agent.settings import load_settings
from training import recipe

_IN_MEMORY = 512 * 2**20  # bytes: 30 Views of a SAM 2 at 1,024 px


def open_segmenter(segmenter: recipe.Segmenter, *, device: str = "auto") -> Segmenter:
    """The segmenter of a recipe, as the product loads it, in the recipe's dtype.

    With `embeddings` each image is embedded once for all runs that share the folder, until `embedding_bytes` are used; images beyond
    that are embedded each time. Raises `model_unavailable`.
    """
    settings = load_settings(segmenter=segmenter.name, dtype=segmenter.dtype, device=device)
    cache = EmbeddingCache(_IN_MEMORY, segmenter.embeddings, segmenter.embedding_bytes, keep_first=True)
    return Models(settings, embeddings=cache).segmenter()
