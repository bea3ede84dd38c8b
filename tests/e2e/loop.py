"""A step done again and again beside a scenario, as the components of a node do their work.

The API server may be away for a while: such a step is tried again. Any other failure ends the loop and fails the scenario at its
next `check`.
"""

import threading
from collections.abc import Callable


class Loop:
    def __init__(self, name: str, period: float, step: Callable[[], None]) -> None:
        self.name, self.period, self.step = name, period, step
        self.failure: Exception | None = None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, name=name, daemon=True)
        self.thread.start()

    def run(self) -> None:
        while not self.ended.wait(self.period):
            try:
                self.step()
            except ConnectionError:
                continue
            except Exception as failure:  # handed over to the scenario, whatever it is
                self.failure = failure
                return

    def check(self) -> None:
        if self.failure:
            raise RuntimeError(f"{self.name}: {self.failure}") from self.failure

    def stop(self) -> None:
        self.ended.set()
        self.thread.join(timeout=30)
