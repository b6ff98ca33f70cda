"""A contact as its channel takes it: text, link, subject, pictures."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from marketing.campaigns import PICTURES, in_language
from marketing.channels import Attachment, Outgoing
from marketing.engine import Contact

__all__ = ["outgoing"]


def outgoing(contact: Contact) -> Outgoing:
    """What is to be sent.

    Raises:
        OSError: a picture of the campaign cannot be read any more.
    """
    campaign = contact.campaign
    url, subject, attachments = "", "", tuple[Attachment, ...]()
    if contact.channel == "wap" and campaign.wap is not None:
        url = campaign.wap.url
    if contact.channel == "mms" and campaign.mms is not None:
        subject = in_language(campaign.mms.subject, contact.language)
        attachments = tuple(_attachment(n, path) for n, path in enumerate(campaign.mms.files, 1))
    return Outgoing(
        contact.contact_id,
        contact.channel,
        campaign.originator,
        contact.msisdn,
        contact.text,
        contact.valid_until_us,
        campaign.campaign,
        campaign.offer,
        url,
        subject,
        attachments,
    )


def _attachment(number: int, path: Path) -> Attachment:
    stat = path.stat()
    data = _read(path, stat.st_mtime_ns, stat.st_size)
    suffix = path.suffix.lower()
    return Attachment(f"picture{number}{suffix}", PICTURES[suffix], data)


@lru_cache(maxsize=256)
def _read(path: Path, _changed_ns: int, _size: int) -> bytes:
    """Once for each state of a file: a campaign has the same pictures for everybody."""
    return path.read_bytes()
