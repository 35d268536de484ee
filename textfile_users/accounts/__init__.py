"""Accounts: who an id is, by passwd, group and NSS."""
