"""`kairos dry-run`: what a world, a study or a campaign will come to, before it is run."""
