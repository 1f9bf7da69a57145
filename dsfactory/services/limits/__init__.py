"""Quotas that outlive restarts and are shared by all processes of the host."""

from __future__ import annotations

from dsfactory.services.limits.deciding import Decision
from dsfactory.services.limits.limiter import RateLimiter
from dsfactory.services.limits.looking import KeyStatus, SavedLimits, WindowStatus
from dsfactory.services.limits.rules import Limits

__all__ = ["Decision", "KeyStatus", "Limits", "RateLimiter", "SavedLimits", "WindowStatus"]
