"""Attacks on lightnas: kills at random instants, mutated files, random spaces against enumeration.

``python -m benchmarks.attack`` (``make attack``) makes all of them and prints their counts; the tests
make a small sample of each.
"""
