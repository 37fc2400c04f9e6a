"""Which part of the work is this process's: every n-th image, by the variables that accelerate and torchrun set."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

from evals.datasets.sample import Sample
from t2s_agent.errors import T2SError


@dataclass(frozen=True, slots=True)
class Shard:
    """Number `rank` of `world` processes, on the accelerator with number `local`."""

    rank: int = 0
    world: int = 1
    local: int = 0

    @classmethod
    def of_environment(cls) -> "Shard":
        """From RANK, WORLD_SIZE and LOCAL_RANK; one process where they are not set."""
        try:
            rank, world, local = (int(os.environ.get(name, d)) for name, d in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0)))  # fmt: skip
        except ValueError as error:
            raise T2SError("argument_invalid", "RANK, WORLD_SIZE or LOCAL_RANK is no number", "Unset them") from error
        if not 0 <= rank < world:
            raise T2SError(
                "argument_invalid", f"RANK {rank} of WORLD_SIZE {world}", "Ranks go from 0 to WORLD_SIZE - 1"
            )
        return cls(rank, world, local)

    def file(self, folder: Path, stem: str) -> Path:
        """Where this process writes: one file a process."""
        return folder / (f"{stem}.jsonl" if self.world == 1 else f"{stem}-{self.rank}-of-{self.world}.jsonl")

    def device(self, device: str) -> str:
        """The accelerator to use where `auto` would put all processes on the first one."""
        if device != "auto" or self.world == 1:
            return device
        import torch

        return f"cuda:{self.local}" if torch.cuda.is_available() else device


ALONE = Shard()


def by_image(samples: Iterable[Sample], shard: Shard, limit: int | None = None) -> Iterator[list[Sample]]:
    """This shard's samples, those of one image that follow each other together; of the first `limit` groups in all."""
    groups = (list(group) for _, group in groupby(samples, lambda sample: sample.image_id))
    return islice(islice(groups, limit), shard.rank, None, shard.world)
