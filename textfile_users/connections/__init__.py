"""Connections: which users' programs talk to which hosts."""
