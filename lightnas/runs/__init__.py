"""Run directories: what a search, a front or a training is made of, stopped, continued and kept."""
