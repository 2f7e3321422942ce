"""Large files in parts: what has arrived of an upload that is not a document yet (reference 5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.sandbox.content_server import errors
from app.sandbox.content_server.bodies import UploadedFile
from app.sandbox.content_server.store import Store

PART_SIZE = 5 * 1024 * 1024
SMALLEST = 1
LARGEST = 256 * 1024 * 1024
MOST_OPEN = 50
LIFETIME = timedelta(hours=1)


@dataclass
class Upload:
    """One upload: its parts by number, and whether it was completed."""

    key: str
    file_name: str
    size: int
    mime_type: str
    started: datetime
    parts: dict[int, bytes] = field(default_factory=dict)
    complete: bool = False

    @property
    def part_count(self) -> int:
        """How many parts make the file."""
        return max(1, -(-self.size // PART_SIZE))


class Uploads:
    """The uploads of one server, the newest `MOST_OPEN`; they expire after `LIFETIME`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[str, Upload] = {}

    def start(self, file_name: str, size: int, mime_type: str) -> Upload:
        """Begin an upload; 400 for a size that may not be uploaded in parts."""
        if not SMALLEST <= size <= LARGEST:
            raise errors.ApiError(400, f"The file size must be between {SMALLEST} and {LARGEST}.")
        key = self._store.random.randbytes(16).hex()
        upload = Upload(key, file_name, size, mime_type, self._store.clock())
        self._open[key] = upload
        while len(self._open) > MOST_OPEN:
            del self._open[next(iter(self._open))]
        return upload

    def add_part(self, key: str, number: int, content: bytes) -> None:
        """One part, numbered from 1; 500 for a second one or after the upload has expired."""
        upload = self._find(key)
        if number in upload.parts or upload.complete:
            raise errors.ApiError(500, f"The part {number} has been uploaded already.")
        if not 1 <= number <= upload.part_count:
            raise errors.ApiError(400, f"The parts count from 1 to {upload.part_count}.")
        upload.parts[number] = content

    def finish(self, key: str) -> None:
        """All parts are there; 400 when they are not, or do not make the announced size."""
        upload = self._find(key)
        if len(upload.parts) < upload.part_count:
            raise errors.ApiError(400, "The upload lacks parts.")
        if sum(map(len, upload.parts.values())) != upload.size:
            raise errors.ApiError(400, "The parts do not make the file size that was announced.")
        upload.complete = True

    def cancel(self, key: str) -> None:
        """Forget an upload: it is used up, or not wanted any more."""
        del self._open[self._find(key).key]

    def file(self, key: str) -> UploadedFile:
        """The whole file, for a document or a version; see `cancel` for when it is there."""
        upload = self._find(key)
        if not upload.complete:
            raise errors.ApiError(400, "The upload is not complete.")
        content = b"".join(upload.parts[number] for number in sorted(upload.parts))
        return UploadedFile(upload.file_name, upload.mime_type, content)

    def _find(self, key: str) -> Upload:
        upload = self._open.get(key)
        if upload is not None and self._store.clock() - upload.started > LIFETIME:
            del self._open[key]
            upload = None
        if upload is None:
            raise errors.ApiError(500, "The upload key is invalid or has expired.")
        return upload
