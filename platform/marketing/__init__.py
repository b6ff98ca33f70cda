"""The precision-marketing platform: signalling in, one fitting offer at the right moment out.

`python -m marketing CONFIG` runs it; `marketing.server.Server` is the same thing inside another process.
"""
