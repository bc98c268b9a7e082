"""Where the bytes of a model can be had: sources as URLs and paths, mirrors first."""

from __future__ import annotations

from smolpc.schema.model import FileSource, HttpsSource, HubSource

HUB = "https://huggingface.co"


def of(source: HttpsSource | HubSource | FileSource) -> tuple[str, ...]:
    """URLs or paths of a source's file, in the order to ask them."""
    if isinstance(source, HubSource):
        return (f"{HUB}/{source.repo}/resolve/{source.revision}/{source.file}",)
    return (source.url if isinstance(source, HttpsSource) else source.path,)
