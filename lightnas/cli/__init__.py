"""The command line: a module a topic; ``main`` puts them together."""
