"""Data sets for detectors: reading, checking and making them, and pictures with boxes."""
