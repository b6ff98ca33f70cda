"""The contact firewall: the policy that decides and the ledger that remembers."""

from marketing.contact.book import NEVER, Book
from marketing.contact.bounds import PLAIN, Kind
from marketing.contact.hours import Hours, Span
from marketing.contact.policy import REASONS, Policy, Reason, Verdict
from marketing.contact.rules_file import PolicyFile, load_policy

__all__ = [
    "NEVER",
    "PLAIN",
    "REASONS",
    "Book",
    "Hours",
    "Kind",
    "Policy",
    "PolicyFile",
    "Reason",
    "Span",
    "Verdict",
    "load_policy",
]
