"""How much a platform takes: its knee, what saturates there, what a message costs, how many are needed.

`knee` searches and `levels` judges, both without any I/O; `mock` is a platform of known service rate, `site`
and `probing` the real one. `utilisation` names the bottleneck, `scaling` and `sizing` draw conclusions.
"""
