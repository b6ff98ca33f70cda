"""`kairos bench compare` and `aa`: two builds in turns, the rule that judges them, the noise of a machine."""
