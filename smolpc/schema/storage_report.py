"""What `models.storage` reports."""

from __future__ import annotations

from smolpc.schema.base import Bytes, Value


class Area(Value, kw_only=True):
    """One part of the store and the disk it takes."""

    name: str
    what: str
    bytes: Bytes


class StoredModel(Value, kw_only=True):
    """One model. `own_bytes` is what removing it frees: nothing where the file is shared
    with another store by a link."""

    name: str
    sha256: str
    bytes: Bytes
    own_bytes: Bytes
    used: str  # by which setup; "" when by none
    path: str


class StorageReport(Value, kw_only=True):
    format: int = 1
    root: str
    disk_total: Bytes
    disk_used: Bytes
    disk_free: Bytes
    low: bool  # less than a tenth of the disk is free
    areas: tuple[Area, ...]
    models: tuple[StoredModel, ...]
