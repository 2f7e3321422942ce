"""The outside world and the wiring: settings, clients, the sandbox, the command line."""
