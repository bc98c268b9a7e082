"""`models.*`: one module a topic. `TASKS` is what the namespace shows."""

from smolpc.cli.models.convert import convert
from smolpc.cli.models.estimate import estimate
from smolpc.cli.models.keeping import prune, remove, storage_
from smolpc.cli.models.listing import list_, show
from smolpc.cli.models.ollama import export_ollama, import_ollama
from smolpc.cli.models.own import add, forget, unpin
from smolpc.cli.models.pull import pull
from smolpc.cli.models.quantize import quantize
from smolpc.cli.models.recommend import recommend
from smolpc.cli.models.verify import verify

TASKS = (
    *(list_, show, recommend, estimate, pull, verify),
    *(add, forget, unpin, storage_, remove, prune),
    *(import_ollama, export_ollama, quantize, convert),
)
