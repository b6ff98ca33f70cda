"""The fixture `wire`: helpers that test folders share without being packages."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).parents[1] / "wire_helpers.py"


@pytest.fixture(scope="session")
def wire() -> ModuleType:
    """`tests/marketing/wire_helpers.py` as a module."""
    name = "wire_helpers"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, PATH)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]
