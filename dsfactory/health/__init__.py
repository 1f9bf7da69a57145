"""Probes and reports."""

from dsfactory.health.report import Subject, examine

__all__ = ["Subject", "examine"]
