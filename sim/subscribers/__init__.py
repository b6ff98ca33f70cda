"""The people: who they are, where they go, how they use their handsets, and how they answer a contact."""
