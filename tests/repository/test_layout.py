"""The layout that keeps `platform/` from shadowing the standard library, and the wheel whole."""

import importlib
import os
import platform
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ["sim", "experiments", "reports", "marketing", "sigtran", "smpp", "mm7"]


def test_platform_is_the_standard_librarys():
    assert Path(platform.__file__).parent == Path(os.__file__).parent
    assert platform.python_version() == sys.version.split()[0].rstrip("+")


def test_platform_folder_is_no_package():
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert not list((ROOT / "platform").glob("*.py"))
    assert not list((ROOT / "platform").rglob("test_*.py"))


def test_tests_are_no_package():
    assert not list((ROOT / "tests").rglob("__init__.py"))


@pytest.mark.parametrize("name", PACKAGES)
def test_under_tox_packages_come_from_the_wheel(name):
    if "TOX_ENV_NAME" not in os.environ:
        pytest.skip("only tox installs the wheel; run ./run test")
    module = importlib.import_module(name)
    site = Path(sysconfig.get_path("platlib")).resolve()
    assert module.__file__ is not None
    assert Path(module.__file__).resolve().is_relative_to(site)


@pytest.mark.parametrize("name", PACKAGES)
def test_shop_window_says_what_the_package_is(name):
    assert importlib.import_module(name).__doc__


def test_no_module_takes_a_name_of_the_standard_library():
    taken = sys.stdlib_module_names
    folders = [
        ROOT / p
        for p in (
            "sim",
            "experiments",
            "reports",
            "platform/marketing",
            "platform/sigtran",
            "platform/smpp",
            "platform/mm7",
        )
    ]
    modules = [
        path
        for folder in folders
        for path in folder.rglob("*.py")
        if path.stem not in {"__init__", "__main__"}
    ]
    assert [str(path) for path in modules if path.stem in taken] == []
