"""Writes `scenarios/campaigns/README.md`: how a campaign file is written, from the tables that check it.

    python -m experiments.campaign_readme > scenarios/campaigns/README.md

A test compares the committed file with this, so no key, feature, placeholder or behaviour can be forgotten there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import yaml

from experiments.scenario_readme import table
from marketing.behaviours import CODES, Kind
from marketing.campaigns import CHANNELS, PLACEHOLDERS, Campaign
from marketing.expressions import BOSS_CATALOGUE, CATALOGUE
from marketing.expressions.functions import FUNCTION_TABLE

__all__ = ["readme"]

_HEAD: Final = """\
# Campaigns

One YAML file a campaign. Copy the nearest one, change it, then

    kairos validate scenarios/campaigns/*.yaml            # every mistake, with line and key
    kairos validate FILE --cells CELLS.csv --subscribers EXTRACT.parquet
    kairos explain FILE --policy scenarios/policies/default.yaml
    kairos schema campaign > campaign.schema.json         # for editors

This page is made from the tables in the code by `python -m experiments.campaign_readme`; a test keeps it true.

## A scene

    scene:
      when: {hours: ["18:00-21:30"], days: [sat, sun]}
      where: {places: [mall]}
      terminal: terminal.mms
      begin: {behaviour: call_ended, role: caller, peer: ["10086"]}
      then:
        - {followed_by: {behaviour: call_rejected}, times: 2, within_s: 3600}
        - {not_followed_by: {behaviour: call_started}, within_s: 1800}
      within_s: 7200
      if: now.idle > duration("20m")

The words are those of Flink CEP:

| word | means |
| --- | --- |
| `begin` | what the scene begins with; `times: 3`: three of them, within the scene's `within_s` at any moment |
| `next` | the subscriber's very next behaviour, of whatever kind, is this one; with `times`, each of the next ones |
| `followed_by` | comes later; others may come between |
| `not_followed_by`, not last | does not come before the step after it is done; if it does, the match is over |
| `not_followed_by`, last | does not come for so long (`within_s` of the step, else of the scene): the scene is complete \
at that very moment, by timer; a behaviour at that moment is too late to break it |
| `times: n` | so often; `times: {at_least: n}`: or more, which matters before `next` only: more of the same do not break it |
| `within_s` of a step | all of the step comes less than so long after the step before was done |
| `within_s` of the scene | from the first behaviour of begin to the end; 30 days where it is absent |
| `when`, `where`, `terminal`, `if` of the scene | hold at the moment the scene is complete |
| `if` of a behaviour | holds at that behaviour, as of that behaviour |
| audience | of extract and lists: holds at every behaviour; of anything else: at the moment the scene is complete |

One match a campaign and subscriber lives at a time. While it waits for the first step after begin, a newer begin
takes the place of the older one, since that leaves more time (but an absence runs from the first). Whatever ends a
match may begin the next; whatever completes one may not. A row that is both forbidden and waited for is forbidden.

"""

_SCENES: Final = """\
## The service scenes

In the key `source` a file says which of the operator's wishes it comes from. J12 is the list of seventeen *service
scenes*: moments that signalling shows, at which one particular service is of use to whoever lives through them. J13 is
the table of nine customer segments ([segments.yaml](../audiences/segments.yaml)), J3 what is known of a subscriber over
time. Each row of J12 is one file here or two, and a test plays a town's day on it
(`tests/experiments/test_campaigns_of_j12.py`). What signalling cannot show, such as which numbers have a fine ring-back
tone, comes from imported lists. Two rows contact nobody: row 6 counts, row 14 makes a list of people to telephone.

"""

_ROWS: Final = (
    ("a caller has just heard somebody's fine ring-back tone", "the same tone for the own number"),
    ("a subscriber waits or is idle, with a handset that has a browser", "pages to read: WAP news"),
    ("the working day is spent in an office tower or business flats", "mail on the handset"),
    ("the SIM has come into a handset that can do MMS", "a trial of MMS"),
    ("often switched off, and now on; or often rejecting, and has just rejected", "notice of missed calls"),
    ("visitors come to sights or shops", "nothing: where they come from is counted, by hour and day"),
    ("a call to the hotline has ended", "a text on what was asked about"),
    ("somebody is in a region for the first time", "a greeting, and what is to be had there"),
    ("points expire soon, and the counter that redeems them is near", "a reminder"),
    ("the hotline's old number, 1860, was dialled", "its new number, 10086"),
    (
        "a long-distance call was dialled directly; or such calls are received and never made",
        "the cheap prefix 12593",
    ),
    ("far fewer minutes are used than the tariff includes", "a reason to talk, as caller or as callee"),
    ("a call has ended shortly before calls get cheap", "the off-peak tariff"),
    ("somebody on the outbound centre's list is reachable now", "nothing: a line in the agents' list"),
    ("a call to the information line 12580 has ended", "the answer as a text, with an offer"),
    ("a customer who is silent or about to leave switches on", "a reason to stay"),
    ("a number that is vacant or out of service was dialled", "the number that has taken its place"),
)
"""J12 in our words: the moment, and what is offered at it; row 1 first."""

_EXPRESSIONS: Final = """\
## Expressions

A typed subset of CEL, the [Common Expression Language](https://cel.dev): literals (`20`, `1.5`, `"text"`, `true`),
names of the table below, `&&`, `||`, `!`, `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `+`, `-`, `*`, `/`, `%`, `? :`,
lists, brackets, `// comments`, and the functions here. Everything else of CEL is refused by name, with line and column.
At most 2,000 characters, 40 levels and 200 items in a list.

What is not known of a subscriber is what CEL calls an error: `false && unknown` is false, `true || unknown` is true,
anything else with it is unknown, and a condition that is unknown does not hold. `has(profile.age)` asks.
`1` and `1.0` are of different types, as in CEL: they can be ordered, but not added or tested for equality.

A condition that can never hold is refused, with line and key: `now.hour > 30`, `now.on && !now.on`, and what `audience`,
`terminal`, `if`, hours and days of one file say against each other. What is found is certain; not all is found
(arithmetic beyond sums, the order of texts).

"""


_CHANNELS: Final = (
    "## Channels\n",
    "`channels: [mms, wap, sms]` is an order of preference: each contact goes by the first channel that is configured",
    "and up and that the subscriber's terminal shows (the terminal table of the platform; a handset that it does not",
    "know shows short messages only). Where none will do the trigger ends as suppressed, for the reason `no_channel`.",
    "A contact is one contact whatever it goes by. How each channel is configured stands in the README of",
    "`platform/marketing/channels`.",
    "",
)

_EXPERIMENTS: Final = (
    "## Experiments\n",
    "`experiment` deals subscribers to arms by a hash of salt and IMSI: the same person is always in the same arm. Who",
    "is in `control` or held out is not contacted; his triggers end as suppressed, for the reason `experiment`. The",
    "column `arm` of `triggers.parquet` says of every trigger whose it is. Compare arms over all their triggers,",
    "whatever became of them: the policy stops some of the treated too, and only whoever was dealt an arm is random.",
    "With `experiment.days` all change sides by the day (switchback): contacts are made on the days of a table only.",
    "",
)


def readme(folder: Path = Path("scenarios/campaigns")) -> str:
    """The page; `folder` holds the campaign files."""
    files = _by_source(folder)
    scenes = [
        f"| {number} | {moment} | {offered} | {_links(files.pop(f'J12 row {number}'))} |"
        for number, (moment, offered) in enumerate(_ROWS, 1)
    ]
    others = [f"| {source} | {_links(names)} |" for source, names in sorted(files.items())]
    kinds = [f"| `{name}` | {_behaviour(name)} |" for name in CODES]
    functions = [f"| `{form}` | {meaning} |" for form, meaning in FUNCTION_TABLE]
    features = [
        f"| `{f.name}` | {f.type.value} | {f.unit} | {_cell(f.meaning)} | {f.source} |"
        for f in (*CATALOGUE.values(), *BOSS_CATALOGUE.values())
    ]
    placeholders = [
        f"| `{{{p.name}}}` | {p.meaning} | {_fallback(p.source)} |" for p in PLACEHOLDERS.values()
    ]
    when = {"message": "at once", "file": "in a file for a desk", "desk": "when the customer comes"}
    channels = [
        f"| `{c.name}` | {c.meaning} | {when[c.kind]} | {f'`{c.needs}`' if c.needs else ''} |"
        for c in CHANNELS.values()
    ]
    return "\n".join(
        [
            _HEAD + _SCENES.rstrip("\n") + "\n",
            "| J12 row | moment | what is offered | file |",
            *("| ---: | --- | --- | --- |", *scenes, ""),
            *("| other source | file |", "| --- | --- |", *others, ""),
            "## Behaviours\n",
            *("| behaviour | when |", "| --- | --- |", *kinds, ""),
            _EXPRESSIONS.rstrip("\n") + "\n",
            *("| function | gives |", "| --- | --- |", *functions, ""),
            "## Features\n",
            *("| name | type | unit | meaning | from |", "| --- | --- | --- | --- | --- |", *features, ""),
            "The names of BOSS stand in the key `boss` only: it is asked at the moment of the decision, of those whom the",
            "policy lets through, and what it does not say in time is not known (`boss_unknown`).",
            "",
            "## Placeholders in texts\n",
            "`{place|here}`: what follows the bar stands there where the value is not known; `{{` is a brace. A value is",
            "never read again, loses control characters and is cut at 60 characters.\n",
            *("| placeholder | stands for | fallback |", "| --- | --- | --- |", *placeholders, ""),
            *_CHANNELS,
            *("| channel | is | sent | needs of the terminal |", "| --- | --- | --- | --- |", *channels, ""),
            *_EXPERIMENTS,
            "## All keys\n",
            table(Campaign),
        ]
    )


def _by_source(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Source -> (name, title) of its campaigns."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(folder.glob("*.yaml")):
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        found.setdefault(values["source"], []).append((path.name, values["title"]))
    return found


def _links(files: list[tuple[str, str]]) -> str:
    return "; ".join(f"[{_cell(title)}]({name})" for name, title in files)


def _behaviour(name: str) -> str:
    said = _meanings()[name].split("\n\n")[0]
    return _cell(" ".join(said.split()))


def _meanings() -> dict[str, str]:
    """The docstrings of the kinds, which Python does not keep: read from the source."""
    import ast
    import inspect

    body = ast.parse(inspect.getsource(Kind)).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for before, after in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(before, ast.Assign)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            assert isinstance(before.targets[0], ast.Name)
            found[before.targets[0].id.lower()] = str(after.value.value)
    return found


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _fallback(source: str) -> str:
    return "needed" if source else "none: always known"


if __name__ == "__main__":
    sys.stdout.write(readme())
