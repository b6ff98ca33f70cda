"""Open-loop phases and what they measure: how long it takes from a message on the wire to a text on its way.

`phase` hosts a platform and sends a prepared schedule; whoever measures latency or capacity starts there.
"""
