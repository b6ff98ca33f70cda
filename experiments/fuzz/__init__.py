"""`kairos fuzz`: the fast decoder against the reference codec on damaged messages."""
