"""Latency tables: the seconds of a structure on one machine. Only ``measure`` needs torch."""
