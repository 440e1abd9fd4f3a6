"""The command line and what it strings together."""
