"""Processes: what /proc and cgroups say of them, and what users use."""
