"""`kairos decode`: captures and single messages as flat keys."""
