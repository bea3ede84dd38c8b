"""Steps of a scenario: named, timed, limited, told as they go.

A step that takes longer than its limit fails by itself, so no run hangs. Only the main thread runs steps.
"""

import contextlib
import signal
import time
from collections.abc import Iterator


class Failure(Exception):
    """What was tested does not hold. The message is for a person."""


def say(text: str) -> None:
    print(text, flush=True)


def expect(holds: object, message: str) -> None:
    if not holds:
        raise Failure(message)


@contextlib.contextmanager
def step(name: str, seconds: int = 60) -> Iterator[None]:
    def late(*_: object) -> None:
        raise Failure(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    began = time.monotonic()
    try:
        yield
    except BaseException:
        say(f"  FAILED {name} ({time.monotonic() - began:.1f} s)")
        raise
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    say(f"  ok     {name} ({time.monotonic() - began:.1f} s)")
