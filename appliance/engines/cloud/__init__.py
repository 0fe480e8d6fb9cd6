"""Providers: one file for each protocol."""
