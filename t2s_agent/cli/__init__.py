"""The command line."""


def main() -> None:
    """The `t2s-agent` program."""
    from t2s_agent.cli.app import run

    run()
