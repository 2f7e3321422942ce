"""The data's path, one file per stage: decode, decide, write_ecm and write_dynamics."""
