"""HTTP headers of public documents: no referrer, no MIME sniffing, no search index.

Not here: the content security policy of the pages (verifications).
"""

from __future__ import annotations

from collections.abc import Mapping

UNINDEXED_HEADERS: Mapping[str, str] = {
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}
