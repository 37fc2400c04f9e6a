"""Answers many questions about many scenes: rows, a ledger, GeoParquet parts, workers on one machine or through Ray.

One row is one question about one scene. Its id is a hash of both, so that a second run knows what is done. Workers keep results and
write parts; one process alone writes the ledger. `docs/how-to/archives.md` says what is in the output folder.
"""

from t2s_agent.batch.job import Job, Selection
from t2s_agent.batch.run import Finished, run_batch
from t2s_agent.batch.summary import Summary, summary_of

__all__ = ["Finished", "Job", "Selection", "Summary", "run_batch", "summary_of"]
