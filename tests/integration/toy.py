"""A small real CMake project that stands in for the engine: it builds in seconds.

`lay(folder)` writes the source archive, a model file and an overlay with an engine recipe,
a model manifest and a pipeline; `environment(...)` makes smolpc use them.
"""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import msgspec
import yaml

from smolpc.catalog import builtin
from smolpc.files import sha256_file, tree_digest

CMAKE = """cmake_minimum_required(VERSION 3.21)
project(toy C CXX)
foreach(number RANGE 1 {parts})
  file(WRITE ${{CMAKE_BINARY_DIR}}/gen/part${{number}}.cpp
       "#include <map>\\n#include <string>\\n"
       "int part${{number}}() {{ std::map<std::string, int> m; return m[\\"x\\"]; }}\\n")
  list(APPEND parts ${{CMAKE_BINARY_DIR}}/gen/part${{number}}.cpp)
endforeach()
add_library(toy SHARED toy.c ${{parts}})
add_executable(toy-bench bench.c)
target_link_libraries(toy-bench PRIVATE toy)
"""
FILES = {
    "toy.c": '#include "toy.h"\nconst char *toy_where(void) { return __FILE__; }\n',
    "toy.h": "const char *toy_where(void);\n",
    "bench.c": '#include <stdio.h>\n#include "toy.h"\n'
    "int main(void) { puts(toy_where()); return 0; }\n",
    "LICENSE": "Public domain.\n",
}
PIPELINE = """steps:
{% for tool in tools %}
  - {id: {{ tool }}, kind: fetch-tool, title: {{ tool }}, inputs: {name: {{ tool }}}}
{% endfor %}
  - {id: source, kind: fetch-source, title: Source}
  - {id: configure, kind: configure, title: Configure, needs: {{ (["source"] + tools) | tojson }}}
  - {id: compile, kind: compile, title: Compile, needs: [configure]}
  - {id: package, kind: package, title: Package, needs: [compile]}
{% if model %}
  - {id: model, kind: pull-model, title: Model}
  - {id: activate, kind: activate, title: Activate, needs: [package, model]}
{% endif %}
"""
MODEL_BYTES = 20_000_000


def lay(folder: Path, *, parts: int = 4) -> Path:
    """Write everything into `folder` and return the overlay for SMOLPC_RECIPES."""
    tree = folder / "toy-1.0"
    tree.mkdir(parents=True)
    (tree / "CMakeLists.txt").write_text(CMAKE.format(parts=parts))
    for name, text in FILES.items():
        (tree / name).write_text(text)
    packed = folder / "toy-1.0.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(tree, "toy-1.0")
    model = folder / "tiny.gguf"
    block = hashlib.sha256(b"tiny").digest() * 1000
    model.write_bytes(b"GGUF" + (block * (MODEL_BYTES // len(block) + 1))[:MODEL_BYTES])
    overlay = folder / "overlay"
    for name, data in {
        "engines/toy.yaml": _engine(tree, packed),
        "models/tiny.yaml": _model(model),
    }.items():
        path = overlay / name
        path.parent.mkdir(parents=True)
        path.write_text(yaml.safe_dump(data, sort_keys=False))
    (overlay / "pipelines").mkdir()
    (overlay / "pipelines" / "toy.yaml.j2").write_text(PIPELINE)
    return overlay


def _engine(tree: Path, packed: Path) -> dict[str, object]:
    real = yaml.safe_load((builtin("recipes") / "engines" / "llama.cpp.yaml").read_text())
    return {
        "name": "toy",
        "version": "1.0",
        "commit": "0" * 40,
        "license": "CC0-1.0",
        "license_files": ["LICENSE"],
        "tree_sha256": tree_digest(tree),
        "sources": [{"kind": "archive", "url": str(packed), "sha256": sha256_file(packed)}],
        "targets": ["toy", "toy-bench"],
        "cmake": {"CMAKE_BUILD_TYPE": "Release", "CMAKE_BUILD_WITH_INSTALL_RPATH": "ON"},
        "platform_cmake": real["platform_cmake"],
        "features": real["features"],
        "seconds_per_core": 10,
    }


def _model(model: Path) -> dict[str, object]:
    file = {
        "filename": model.name,
        "size": model.stat().st_size,
        "sha256": sha256_file(model),
        "quantization": "none",
        "name": "tiny",
        "sources": [{"kind": "file", "path": str(model)}],
    }
    return {
        "name": "tiny",
        "license": {"id": "CC0-1.0"},
        "models": [
            {
                "name": "tiny",
                "summary": "Bytes for tests.",
                "parameters": 1,
                "context_length": 128,
                "files": [file],
            }
        ],
    }


def environment(overlay: Path, store: Path) -> dict[str, str]:
    """Variables that make smolpc set up the toy in `store`."""
    return {
        "SMOLPC_RECIPES": str(overlay),
        "SMOLPC_STORE": str(store),
        "SMOLPC_ENGINE": "toy",
        "SMOLPC_MODEL": "tiny",
        "SMOLPC_PIPELINE": "toy",
        "SMOLPC_OFFLINE": "true",
        "SMOLPC_COMPILER_CACHE": "false",  # a compile must take its time
    }


def report(text: str) -> dict[str, object]:
    """The JSON object in a command's output (it may follow log lines)."""
    found: dict[str, object] = msgspec.json.decode(text[text.index("{") :])
    return found
