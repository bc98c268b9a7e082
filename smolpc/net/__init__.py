"""The only door to HTTP.

`NetSettings` says how this machine reaches the network, `session` gives a `requests`
session that obeys it, `get` reads a small document, `download` brings a pinned file.
"""

from smolpc.net.http import Document, get, session
from smolpc.net.places import local_path, shown
from smolpc.net.settings import NetSettings
from smolpc.net.transfer import download

__all__ = ["Document", "NetSettings", "download", "get", "local_path", "session", "shown"]
