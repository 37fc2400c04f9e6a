"""What all tests share."""

import pytest
from hypothesis import strategies


@pytest.fixture(scope="session", autouse=True)
def characters():
    """Hypothesis makes its tables of characters on a machine's first text: a second that no test's clock should count."""
    strategies.text().validate()
