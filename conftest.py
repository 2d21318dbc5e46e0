"""Settings shared by the unit tests and by the execution of the notebooks."""

import pytest
from hypothesis import settings

# A property that passed yesterday passes today, and none fails because a machine is slow.
settings.register_profile("aesc", derandomize=True, deadline=None)
settings.load_profile("aesc")


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Leave progress bars and the HTML drawing of tables out of the comparison of notebooks."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr", "text/html")
