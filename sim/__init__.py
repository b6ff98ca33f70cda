"""A GSM network that talks: people, their day, and the real bytes of their signalling."""
