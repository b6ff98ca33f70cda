"""What came of contacts: replies understood, services ordered at BOSS, everything written down."""

from marketing.effects.accounts import Accounts
from marketing.effects.orders import Boss, BossError
from marketing.effects.records import Records, TriggerRecord, recover_records
from marketing.effects.replies import Conversations, SentContact, Unanswered

__all__ = [
    "Accounts",
    "Boss",
    "BossError",
    "Conversations",
    "Records",
    "SentContact",
    "TriggerRecord",
    "Unanswered",
    "recover_records",
]
