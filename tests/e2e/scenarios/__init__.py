"""All scenarios by name, in the order in which they are run."""

from collections.abc import Callable

from application import Application
from scenarios import broken, circle, planned

SCENARIOS: dict[str, Callable[[Application], None]] = {**circle.SCENARIOS, **broken.SCENARIOS, **planned.SCENARIOS}
