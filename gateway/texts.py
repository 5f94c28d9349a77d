"""The texts of the gateway's problems and of its access data. Not here: its pages."""

from __future__ import annotations

from pathlib import Path

from chassis.texts import load_texts

TEXTS = load_texts(Path(__file__).with_name("texts.toml"))
