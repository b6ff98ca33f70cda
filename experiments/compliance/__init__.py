"""Studies of kind compliance: what a user's own policy and campaigns come to, and whether they ever overstep.

`life` lives through the user's world and judges it from handset records; `margins`, `cap_use`, `pressure`,
`displacement` and `holds` are pure measures of it; `casting` makes of the policy file and the campaigns what
races, kills and faults of `experiments.firewall.cases` play; `conduct` runs a study.
"""
