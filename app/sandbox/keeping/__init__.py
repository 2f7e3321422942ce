"""What simulated systems keep in a folder: saved whole every moment, and read at a start."""

from app.sandbox.keeping.files import Unusable, read_kept, write_kept
from app.sandbox.keeping.keeper import FolderInUse, Keeper
from app.sandbox.keeping.parts import GAP, Part

__all__ = ["GAP", "FolderInUse", "Keeper", "Part", "Unusable", "read_kept", "write_kept"]
