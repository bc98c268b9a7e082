"""`models.*`: one module a topic. `TASKS` is what the namespace shows."""

from smolpc.cli.models.keeping import prune, remove, storage_
from smolpc.cli.models.listing import list_
from smolpc.cli.models.pull import pull
from smolpc.cli.models.verify import verify

TASKS = (list_, prune, pull, remove, storage_, verify)
