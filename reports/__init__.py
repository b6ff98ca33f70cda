"""Reports: the schemas of the records a run leaves, and the pages made from a run directory alone."""
