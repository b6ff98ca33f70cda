"""What BOSS says of accounts is what people's own queries hear, and includes what they have ordered."""

from pathlib import Path

import numpy as np

from sim.backoffice.accounts import accounts_of
from sim.backoffice.boss import Account, Boss, Customer
from sim.scenario import DAY_US, load_world
from sim.subscribers.usage_accounts import account_fen, is_prepaid
from sim.world import build_world

WORLD = Path(__file__).parents[3] / "scenarios" / "worlds" / "town.yaml"


def test_accounts_of_a_world():
    world = build_world(load_world(WORLD), 7)
    money = accounts_of(world)
    subs = np.arange(40)
    numbers = [world.population.msisdn_text(sub) for sub in subs]
    t_us = world.scenario.epoch_unix_us + 3 * DAY_US + 12 * 3_600_000_000
    told = money([*numbers, "8600000000000"], t_us)
    fen = account_fen(world, subs, np.full(40, 3)).tolist()
    prepaid = is_prepaid(world, subs).tolist()
    assert told == {
        number: ((one, None) if before else (None, one))
        for number, one, before in zip(numbers, fen, prepaid, strict=True)
    }
    assert any(prepaid)
    assert not all(prepaid)
    assert money(numbers, world.scenario.epoch_unix_us - 1) == {}


def test_services_held_are_those_of_the_extract_and_those_ordered_until_then():
    boss = Boss([Customer("8613900000001", brand="mzone", services=("mms",))])
    boss.order("o", "8613900000001", "music", "sms", 100)
    boss.order("p", "8613900000001", "mms", "sms", 50)
    assert boss.accounts(["8613900000001", "8613900000002", "8613900000001"], 100) == [
        Account("8613900000001", "mzone", ("mms", "music"))
    ]
    assert boss.accounts(["8613900000001"], 99)[0].services == ("mms",)
