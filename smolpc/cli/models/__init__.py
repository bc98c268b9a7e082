"""`models.*`: one module a topic. `TASKS` is what the namespace shows."""

from smolpc.cli.models.estimate import estimate
from smolpc.cli.models.keeping import prune, remove, storage_
from smolpc.cli.models.listing import list_, show
from smolpc.cli.models.own import add, forget, unpin
from smolpc.cli.models.pull import pull
from smolpc.cli.models.verify import verify

TASKS = (add, estimate, forget, list_, prune, pull, remove, show, storage_, unpin, verify)
