"""Rules: which campaigns' scenes are complete, for whom, when. Behaviours in, completions out.

What the engine does with a batch (times ascending), wave by wave; in a wave every subscriber occurs once:

    rules = Rules.compile(campaigns, profiles, places, zone=policy.file.timezone, view=view)
    for wave, rows in waves(batch):
        found += rules.fire(rows, wave["t_us"])        # patterns of these subscribers that fell due before
        stays = presence.update(wave, rows, places); habits.update(...)
        found += rules.match(wave, rows)               # complete in this row, features as of this row
    found += rules.due(until_us)                       # everybody else's absences, each dated at its due time

`view.column(name, rows, at_us)` gives `now.*`, `habit.*`, `last.*`, `last[10086]`, `terminal.*`, and what of
`profile.*` and `lists[name]` the profiles do not answer themselves (`marketing.expressions.View`);
`event.*`, `now.hour` and `now.weekday` rules make themselves. `rules.reads` says which names are ever asked.

Each call returns `Completions`: columns `t_us` (when complete), `row`, `campaign` (position in the campaigns
given), `index` (position in the wave of the completing behaviour; -1 = by the passing of time), `since_us`
(first behaviour of the scene). Audience, targets, valid days, when, where, terminal and if have been applied
to what is returned; experiment arms, caps and the policy have not.

Dwells stay with the engine, which knows the stays: `rules.dwells[place]` are `(campaign, at_least_us, ...)`;
when due it calls `rules.dwelt(dwell, row, since_us, at_us)` and gets completions (or none: the pattern
goes on, or the conditions do not hold). `rules.next_due_us()` is the next timer of the patterns.
`rules.members(i)` is the mask of a campaign's static audience and targets over all rows;
`rules.passing(i, rows, at_us)` also asks the moving audience and valid days of subscribers chosen otherwise
(groups, follow-ups). `rules.switch(profiles)` looks at audiences anew after an import.
`rules.values(i, row, at_us, event)` gives what `campaign.render` needs, `rules.told` the same of many in
columns. `rules.snapshot()` and `rules.restore(saved, rows)` carry the live partial matches over a restart, a
reload with other campaigns (made with `like=` the rules in force: a tenth of a second for a million
subscribers), or another numbering of rows.
"""

from marketing.rules.completions import Completions
from marketing.rules.contradictions import check_audiences
from marketing.rules.program import Dwell
from marketing.rules.rules import Rules
from marketing.rules.sources import catalogue_of
from marketing.rules.telling import Telling

__all__ = ["Completions", "Dwell", "Rules", "Telling", "catalogue_of", "check_audiences"]
