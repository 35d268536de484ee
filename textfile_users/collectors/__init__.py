"""The collectors: what one look reads, each guarded and timed by scan.py."""
