"""The store: artifacts by key, models by digest, generations, garbage collection.

<store>/
  artifacts/<key>/      manifest.json, manifest.sha256 (written last), lib/ bin/ python/ ...
  models/<sha256>/      one GGUF file and record.json (written last)
  generations/<n>.json  what each setup provisioned; `current` names the one in use
  downloads/ sources/ work/ tmp/ logs/ tools/ locks/ in-use/    all safe to delete when idle
"""

from smolpc.store.layout import Store

__all__ = ["Store"]
