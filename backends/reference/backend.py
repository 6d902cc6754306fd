"""The record of the reference backend: graphs as they were differentiated."""

from __future__ import annotations

from ..base import Backend
from .interpreter import prepare

__all__ = ["BACKEND"]

BACKEND = Backend(name="reference", passes=(), prepare=prepare)
