"""The command line: serve, check-policies, explain."""


def main() -> int:
    """Run the command named on the command line; returns the exit status."""
    return 0
