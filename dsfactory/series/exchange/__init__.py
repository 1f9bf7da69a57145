"""Samples in and out of a store: Prometheus' text, OpenMetrics, CSV, JSON lines, Arrow, Parquet."""
