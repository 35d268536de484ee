"""Metric sets: each is a function from a snapshot to prometheus_client metric families."""
