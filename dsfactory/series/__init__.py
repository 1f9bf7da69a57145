"""Numeric time series in a metrics store's file. Most of it imports numpy: only on first use."""
