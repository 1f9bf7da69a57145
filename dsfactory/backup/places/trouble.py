"""What went wrong with an object store, in our words.

The library's own text is not passed on: it repeats the request and the answer, and those may hold
credentials (the userinfo of an endpoint, a signed URL, S3's SignatureDoesNotMatch). It gives no
fields to ask either, so what is known to be harmless is looked for in the text.
"""

from __future__ import annotations

import re

_NO_BUCKET = re.compile(r"<Code>(NoSuchBucket|ContainerNotFound)</Code>")

_ROWS = (
    (_NO_BUCKET, "there is no such bucket or container"),
    # The paths of the identity services, which are asked last.
    (
        re.compile(r"/latest/(api/token|meta-data)|/computeMetadata/|/metadata/identity"),
        "no credentials were found; set them in the environment",
    ),
    (re.compile(r"\bdns error\b"), "the name of its host is not known"),
    (re.compile(r"\bkind: Timeout\b"), "it does not answer in time"),
    (re.compile(r"\bkind: Connect\b"), "it cannot be connected to"),
    (re.compile(r"\bBadScheme\b"), "its endpoint is not https, and plain http was not allowed"),
)
"""Looked for in this order."""

_TYPES = {
    "FileNotFoundError": "it is not there",
    "NotFoundError": "it is not there",
    "PermissionDeniedError": "it refuses these credentials",
    "UnauthenticatedError": "it does not know these credentials",
    "PreconditionError": "the file was replaced meanwhile",
    "UnknownConfigurationKeyError": "it has no such setting",
}

# Three digits, and the words of the protocols: no more of an answer is shown.
_STATUS = re.compile(r"status code: (\d{3})\b")
_CODE = re.compile(r"<Code>([A-Za-z]{1,48})</Code>")


def reason_of(error: Exception) -> str:
    """Return why an object store did not do what was asked, for a message."""
    text = str(error)
    for pattern, reason in _ROWS:
        if pattern.search(text):
            return reason
    known = _TYPES.get(type(error).__name__, "it does not do it")
    facts = [found[1] for pattern in (_STATUS, _CODE) if (found := pattern.search(text))]
    return f"{known} ({' '.join(facts)})" if facts else known


def is_lost(error: Exception) -> bool:
    """Whether the place is there and the file is not."""
    missing = type(error).__name__ in ("FileNotFoundError", "NotFoundError")
    return missing and not _NO_BUCKET.search(str(error))
