"""What the scenario programs in Python share (scenarios.md)."""

import sys


def expect(got, wanted):
    assert got == wanted, f"{got!r} instead of {wanted!r}"


def restart_server():
    """Has the server killed and started again."""
    print("restart", flush=True)
    assert sys.stdin.readline() == "restarted\n"


def run_all(*scenarios):
    """Runs the scenarios in order, and ends the process."""
    failures = 0
    for work in scenarios:
        try:
            work()
            print(f"ok {work.__name__}", flush=True)
        except Exception as reason:  # whatever it is, it belongs to this scenario
            failures += 1
            print(f"failed {work.__name__}: {reason!r}", flush=True)
    sys.exit(1 if failures else 0)
