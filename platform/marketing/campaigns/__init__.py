"""Campaigns: one YAML file each, checked as a whole, with every mistake named by line and key."""

from marketing.campaigns.audience import as_expression
from marketing.campaigns.budget import Budget
from marketing.campaigns.campaign import Campaign, CampaignCaps, FollowUp, Group, Reply, Valid
from marketing.campaigns.channel_content import PICTURES, in_language
from marketing.campaigns.channels import CHANNEL_CODES, CHANNEL_NAMES, CHANNELS, ChannelKind
from marketing.campaigns.condition import using
from marketing.campaigns.content import PLACEHOLDERS, Placeholder, template
from marketing.campaigns.elements import AtLeast, BehaviourElement, Dwell, DwellElement, FirstElement, Step
from marketing.campaigns.experiment import CONTROL, HOLD_OUT, Experiment
from marketing.campaigns.files import (
    Target,
    load,
    load_all,
    read_all,
    read_campaign,
    read_numbers,
    read_targets,
)
from marketing.campaigns.scene import DAYS, Scene, When, Where
from marketing.campaigns.words import budget_words, describe

__all__ = [
    "CHANNELS",
    "CHANNEL_CODES",
    "CHANNEL_NAMES",
    "CONTROL",
    "DAYS",
    "HOLD_OUT",
    "PICTURES",
    "PLACEHOLDERS",
    "AtLeast",
    "BehaviourElement",
    "Budget",
    "Campaign",
    "CampaignCaps",
    "ChannelKind",
    "Dwell",
    "DwellElement",
    "Experiment",
    "FirstElement",
    "FollowUp",
    "Group",
    "Placeholder",
    "Reply",
    "Scene",
    "Step",
    "Target",
    "Valid",
    "When",
    "Where",
    "as_expression",
    "budget_words",
    "describe",
    "in_language",
    "load",
    "load_all",
    "read_all",
    "read_campaign",
    "read_numbers",
    "read_targets",
    "template",
    "using",
]
