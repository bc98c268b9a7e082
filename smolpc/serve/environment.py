"""The environment of a server: short, so that nothing leaks in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# Needed by the system, by drivers, or to choose among GPUs. LLAMA_*, HF_* and GGML_* variables
# would change what is served, and where the server looks for models.
KEPT = frozenset(
    (
        *("PATH", "HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA"),
        *("SYSTEMROOT", "WINDIR", "SYSTEMDRIVE", "TEMP", "TMP", "TMPDIR", "TZ", "LANG", "LC_ALL"),
        *("XDG_RUNTIME_DIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"),
        *("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ONEAPI_DEVICE_SELECTOR"),
        *("GGML_VK_VISIBLE_DEVICES", "VK_ICD_FILENAMES", "VK_DRIVER_FILES"),
    )
)
NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody answers


def environment(current: Mapping[str, str], *, cache: Path, api_key: str) -> dict[str, str]:
    """What a server sees. `cache` is an empty folder: the server lists what its model cache
    holds, and the user's own downloads are not ours to serve. The key is here because only
    the same user can read the environment of a process, while everybody reads its arguments;
    the processes that a router starts inherit it, so they ask for the key too."""
    made = {name: value for name, value in current.items() if name.upper() in KEPT}
    made |= {"LLAMA_CACHE": str(cache), "MODEL_ENDPOINT": NOWHERE, "HF_ENDPOINT": NOWHERE}
    if api_key:
        made["LLAMA_API_KEY"] = api_key
    return made
