"""Quotas that outlive restarts and are shared by all processes of the host."""

from __future__ import annotations

from dsfactory.services.limits.deciding import Decision
from dsfactory.services.limits.limiter import KeyStatus, RateLimiter, WindowStatus
from dsfactory.services.limits.rules import Limits

__all__ = ["Decision", "KeyStatus", "Limits", "RateLimiter", "WindowStatus"]
