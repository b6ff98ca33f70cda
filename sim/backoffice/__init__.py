"""The operator's desks that the platform talks to: the SMSC's door (SMPP) and BOSS (HTTP)."""
