"""Settings of manpower, and its texts. Not here: settings that all services share (chassis)."""

from __future__ import annotations

from pathlib import Path

from chassis.settings import Settings
from chassis.texts import load_texts

TEXTS = load_texts(Path(__file__).with_name("texts.toml"))


class ManpowerSettings(Settings, prefix="MANPOWER_"):
    """Settings from the environment, with the prefix `MANPOWER_`.

    `training_url` is for the identity query, `gateway_url` for grants (the gateway's internal
    port).
    """

    training_url: str
    gateway_url: str
