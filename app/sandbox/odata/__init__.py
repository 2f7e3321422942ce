"""What the simulated OData services have in common: ``$batch``."""
