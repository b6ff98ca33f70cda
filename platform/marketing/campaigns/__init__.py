"""Campaigns: one YAML file each, checked as a whole, with every mistake named by line and key."""

from marketing.campaigns.campaign import (
    EXTRACT_FLAGS,
    EXTRACT_LISTS,
    EXTRACT_WORDS,
    BehaviourElement,
    Campaign,
    DwellElement,
    Group,
    Reply,
    Scene,
    Target,
    load,
    load_all,
    read_targets,
)

__all__ = [
    "EXTRACT_FLAGS",
    "EXTRACT_LISTS",
    "EXTRACT_WORDS",
    "BehaviourElement",
    "Campaign",
    "DwellElement",
    "Group",
    "Reply",
    "Scene",
    "Target",
    "load",
    "load_all",
    "read_targets",
]
