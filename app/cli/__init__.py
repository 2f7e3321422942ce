"""The command line, one file per command; ``app.cli.main`` puts them together."""
