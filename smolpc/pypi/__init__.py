"""Find a pinned file on the package indexes this machine's pip is configured for.

Never through `pip download`: for a source archive that runs the archive's own code before
anything is verified. An index is only asked where a file is; what is trusted is our digest.
"""

from smolpc.pypi.config import Settings, load
from smolpc.pypi.fetch import Location, check, fetch, locate

__all__ = ["Location", "Settings", "check", "fetch", "load", "locate"]
