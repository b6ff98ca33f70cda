"""Who may bind: an SMSC's list of accounts, with the addresses they may come from.

    access = AccessList((Account("kairos", "secret", ("10.0.0.0/8",)),))
    SmscServer(take, access=access)

A password is never in a text that this module makes.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from smpp import pdu
from smpp.states import BOUND_BY
from smpp.status import CommandStatus

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Account:
    """One ESME that may bind. ValueError for what cannot be an account."""

    system_id: str
    password: str = field(repr=False)
    addresses: tuple[str, ...] = ()
    """Networks or addresses it may connect from, `192.0.2.0/24`; empty for any."""
    binds: frozenset[str] = frozenset(cls.command for cls in BOUND_BY)
    """Which of the three bind requests it may make."""
    most_binds: int = 0
    """Sessions at a time; 0 for any number."""
    networks: tuple[Network, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            pdu.BindTransceiver(self.system_id, self.password)
        except ValueError:  # without its text, which may hold the password
            raise ValueError(
                f"account {self.system_id!r}: system_id has 1 to 15 characters, password at most 8"
            ) from None
        if not self.system_id:
            raise ValueError("an account has a system_id")
        known = {cls.command for cls in BOUND_BY}
        if not self.binds or not self.binds <= known:
            raise ValueError(
                f"account {self.system_id!r}: binds are some of {', '.join(sorted(known))}, "
                f"not {', '.join(sorted(self.binds)) or 'none'}"
            )
        if self.most_binds < 0:
            raise ValueError(f"account {self.system_id!r}: most_binds is 0 or more, not {self.most_binds}")
        try:
            networks = tuple(ip_network(one) for one in self.addresses)
        except ValueError as fault:
            raise ValueError(f"account {self.system_id!r}: {fault}") from None
        object.__setattr__(self, "networks", networks)

    def may_come_from(self, address: str) -> bool:
        """Whether `address` is in the list. A peer without address sits on this machine, on a socketpair."""
        if not self.networks or not address:
            return True
        found = ip_address(address)
        return any(found in network for network in self.networks)


class AccessList:
    """Accounts by system_id. Everybody else is refused."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._accounts: dict[str, Account] = {}
        for account in accounts:
            if account.system_id in self._accounts:
                raise ValueError(f"account {account.system_id!r} is listed twice")
            self._accounts[account.system_id] = account

    def admits(self, address: str) -> bool:
        """Whether any account may come from there: asked before an octet is read."""
        return any(account.may_come_from(address) for account in self._accounts.values())

    def authenticate(self, bind: pdu.Bind, address: str, bound: int) -> int:
        """The status of the bind response; `bound` counts the sessions this system_id has already."""
        account = self._accounts.get(bind.system_id)
        # An unknown name takes as long as a wrong password, and hears the same.
        expected = account.password if account is not None else ""
        right = hmac.compare_digest(bind.password.encode("latin-1"), expected.encode("latin-1"))
        if account is None or not right or not account.may_come_from(address):
            return CommandStatus.ESME_RINVPASWD
        if bind.command not in account.binds:
            return CommandStatus.ESME_RBINDFAIL
        if account.most_binds and bound >= account.most_binds:
            return CommandStatus.ESME_RALYBND
        return CommandStatus.ESME_ROK
