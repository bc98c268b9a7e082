"""JSON Schemas of what people write and of what smolpc reports, for editors and other programs.

`python -m smolpc.schema.export docs/schemas` writes them again after a struct has changed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from smolpc.schema import registry_report, report
from smolpc.schema.artifact import Artifact, Generation, ModelRecord
from smolpc.schema.backends import BackendsReport
from smolpc.schema.bench import BenchResult, Scenario
from smolpc.schema.bench_many import MergedReport, TrendsReport
from smolpc.schema.bench_report import CompareReport, ScenariosReport
from smolpc.schema.config_report import ConfigChange, ConfigReport
from smolpc.schema.conversation import Conversation
from smolpc.schema.engine import EngineRecipe, ToolRecipe
from smolpc.schema.family import Family
from smolpc.schema.fit_report import EstimateReport
from smolpc.schema.hardware import Speeds
from smolpc.schema.host import Host
from smolpc.schema.limit import LimitReport
from smolpc.schema.model import ModelManifest
from smolpc.schema.ollama_report import OllamaExportReport, OllamaImportReport, OllamaListReport
from smolpc.schema.plan import Plan
from smolpc.schema.profile import Profile
from smolpc.schema.quantize_report import MadeReport
from smolpc.schema.result import RunResult
from smolpc.schema.running_report import ExplainReport
from smolpc.schema.serve_report import ServeReport
from smolpc.schema.spec import BuildSpec
from smolpc.schema.storage_report import StorageReport
from smolpc.schema.tuning import Tuned, TuneReport
from smolpc.schema.warm_report import Warmed

EXPORTED: dict[str, type] = {
    "profile": Profile,
    "engine-recipe": EngineRecipe,
    "tool-recipe": ToolRecipe,
    "model-family": Family,
    "model-manifest": ModelManifest,
    "speeds": Speeds,
    "scenario": Scenario,
    "bench-result": BenchResult,
    "bench-compare-report": CompareReport,
    "bench-scenarios-report": ScenariosReport,
    "bench-trends-report": TrendsReport,
    "bench-merged-report": MergedReport,
    "host": Host,
    "plan": Plan,
    "build-spec": BuildSpec,
    "artifact": Artifact,
    "model-record": ModelRecord,
    "generation": Generation,
    "run-result": RunResult,
    "serve-report": ServeReport,
    "conversation": Conversation,
    "backends-report": BackendsReport,
    "error-report": report.ErrorReport,
    "version-report": report.VersionReport,
    "config-report": ConfigReport,
    "config-change": ConfigChange,
    "profiles-report": report.ProfilesReport,
    "why-report": report.WhyReport,
    "profile-report": report.ProfileReport,
    "files-report": report.FilesReport,
    "artifacts-report": report.ArtifactsReport,
    "verify-report": report.VerifyReport,
    "gc-report": report.GcReport,
    "models-report": report.ModelsReport,
    "model-report": registry_report.ModelReport,
    "add-report": registry_report.AddReport,
    "forget-report": registry_report.ForgetReport,
    "storage-report": StorageReport,
    "estimate-report": EstimateReport,
    "explain-report": ExplainReport,
    "tuned": Tuned,
    "tune-report": TuneReport,
    "limit-report": LimitReport,
    "pull-report": report.PullReport,
    "build-report": report.BuildReport,
    "setup-report": report.SetupReport,
    "doctor-report": report.DoctorReport,
    "ollama-list-report": OllamaListReport,
    "ollama-import-report": OllamaImportReport,
    "ollama-export-report": OllamaExportReport,
    "made-report": MadeReport,
    "warm-report": Warmed,
}


def schemas() -> dict[str, dict[str, Any]]:
    """Name -> JSON Schema (2020-12)."""
    return {
        name: {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": name,
            **msgspec.json.schema(kind),
        }
        for name, kind in EXPORTED.items()
    }


def texts() -> dict[str, str]:
    """File name -> text, as they are kept in docs/schemas."""
    return {
        f"{name}.schema.json": json.dumps(schema, indent=2) + "\n"
        for name, schema in schemas().items()
    }


if __name__ == "__main__":
    for name, text in texts().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
