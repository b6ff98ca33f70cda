"""`kairos judge`: decoders that others wrote judge what our codec and our worlds write."""
