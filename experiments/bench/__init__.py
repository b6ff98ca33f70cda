"""`kairos bench`: figures of each stage of simulator and platform, and whether a change made one slower."""
