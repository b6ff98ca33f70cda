"""What is said when a network has no number left to lend."""


class NumbersExhaustedError(RuntimeError):
    """All numbers of a list are borrowed or frozen: the world is larger than the network."""
