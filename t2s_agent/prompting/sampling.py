"""How often a model is asked the same question, and how its answers are drawn."""

from dataclasses import dataclass

from t2s_agent.errors import T2SError
from t2s_agent.settings import Settings


@dataclass(frozen=True, slots=True)
class Sampling:
    """One answer is the likeliest one (greedy). Several are drawn at `temperature`, reproducibly for a `seed`, and score instances
    by agreement. Raises `argument_invalid` for no samples or a temperature that is not above zero.
    """

    samples: int = 1
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.samples < 1 or not self.temperature > 0:
            raise T2SError(
                "argument_invalid",
                f"samples {self.samples}, temperature {self.temperature}",
                "Both have to be above zero",
            )

    @classmethod
    def of(cls, settings: Settings) -> "Sampling":
        """That of the settings."""
        return cls(settings.samples, settings.temperature, settings.seed)


GREEDY = Sampling()
