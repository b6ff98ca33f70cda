import builtins
import errno
import logging
from typing import Any

import pytest

from sigtran import TransportUnavailable, choose, kernel, transport, usrsctp


def working() -> str:
    return "works"


def broken() -> str:
    raise TransportUnavailable("broken; mend it")


@pytest.fixture(autouse=True)
def _no_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCTP_TRANSPORT", raising=False)


def test_auto_takes_the_kernel_where_it_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(transport._PROBES, "kernel", working)
    monkeypatch.setitem(transport._PROBES, "usrsctp", working)
    with caplog.at_level(logging.INFO):
        assert choose("auto").kind == "kernel"
    assert "transport kernel: works" in caplog.text


def test_auto_falls_back_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(transport._PROBES, "kernel", broken)
    monkeypatch.setitem(transport._PROBES, "usrsctp", working)
    choice = choose()
    assert choice.kind == "usrsctp"
    assert "broken; mend it" in choice.why


def test_auto_with_nothing_at_all_names_both_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(transport._PROBES, "kernel", broken)
    monkeypatch.setitem(transport._PROBES, "usrsctp", broken)
    with pytest.raises(TransportUnavailable, match="mend it; broken"):
        choose("auto")


def test_the_environment_overrides_auto_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(transport._PROBES, "kernel", working)
    monkeypatch.setenv("SCTP_TRANSPORT", "memory")
    assert choose("auto").kind == "memory"
    assert "SCTP_TRANSPORT=memory" in choose("auto").why
    assert choose("kernel").kind == "kernel"


def test_an_unknown_kind_lists_those_that_exist() -> None:
    with pytest.raises(TransportUnavailable, match="'tcp': there are auto, kernel, usrsctp, memory"):
        choose("tcp")


def test_a_kernel_without_sctp_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPROTONOSUPPORT, "Protocol not supported")

    monkeypatch.setattr(kernel.socket, "socket", refuse)
    with pytest.raises(TransportUnavailable, match="modprobe sctp"):
        kernel.probe()


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("libusrsctp.so.2: cannot open shared object file", "apt-get install libusrsctp2"),
        ("No module named 'sigtran._usrsctp'", "apt-get install libusrsctp-dev"),
    ],
)
def test_a_missing_library_names_the_package(
    monkeypatch: pytest.MonkeyPatch, message: str, remedy: str
) -> None:
    real = builtins.__import__

    def failing(name: str, *rest: Any) -> Any:
        if name == "sigtran" and len(rest) > 2 and "_usrsctp" in (rest[2] or ()):
            raise ImportError(message)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", failing)
    usrsctp._stack.cache_clear()
    try:
        with pytest.raises(TransportUnavailable, match=remedy):
            usrsctp.probe()
    finally:
        usrsctp._stack.cache_clear()
