"""Self-check: the product's own promises put to the test, each a case with what was expected and found."""
