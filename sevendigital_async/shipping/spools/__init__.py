"""Spools: where plays wait between put and the wire."""
