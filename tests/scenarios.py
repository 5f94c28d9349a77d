"""Which scenarios of the domain documents are proved: the mark `scenario`, and the list in scenarios.toml."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "scenario(id): this test proves the scenario, or its part as in T15/training")
