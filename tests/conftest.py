"""What all tests share."""

from hypothesis import strategies


def pytest_sessionstart():
    """Hypothesis makes its tables of characters on a machine's first text: a second that no test's clock should count."""
    strategies.text().validate()
