"""CPU features under one name on every platform, and the archspec target they make up."""

from __future__ import annotations

from collections.abc import Iterable

from smolpc.schema.host import Arch

# Instruction sets that matter for code generation and that no archspec target names yet.
MORE = (
    "amx_complex amx_fp16 avx10_1 avx10_2 avx512_fp16 avx512_vp2intersect avx_vnni"
    " avx_vnni_int16 fma4 sve2 svei8mm sme sme2 mte xop"
)
# Other spellings of Linux's names: cpuinfo's own "pni", macOS on Intel, cpuid tables.
X86_ALIASES = {
    "pni": "sse3",
    "sse4.1": "sse4_1",
    "sse4.2": "sse4_2",
    "avx1.0": "avx",
    "lahf": "lahf_lm",
    "lzcnt": "abm",
    "sha": "sha_ni",
    "clfsopt": "clflushopt",
    "rdwrfsgs": "fsgsbase",
    "avx512vnni": "avx512_vnni",
    "avx512bitalg": "avx512_bitalg",
    "avx512vbmi2": "avx512_vbmi2",
    "avx512vpopcntdq": "avx512_vpopcntdq",
}
# macOS on arm64: sysctl hw.optional.* -> the kernel names of Linux (arch/arm64/kernel/cpuinfo.c)
APPLE_FEATURES = {
    "floatingpoint": "fp",
    "neon": "asimd",
    "AdvSIMD": "asimd",
    "neon_fp16": "asimdhp fphp",
    "armv8_crc32": "crc32",
    "armv8_1_atomics": "atomics",
    "armv8_2_fhm": "asimdfhm",
    "armv8_2_sha512": "sha512",
    "armv8_2_sha3": "sha3",
    "arm.AdvSIMD": "asimd",
    "arm.FEAT_AES": "aes",
    "arm.FEAT_BF16": "bf16",
    "arm.FEAT_BTI": "bti",
    "arm.FEAT_CRC32": "crc32",
    "arm.FEAT_DIT": "dit",
    "arm.FEAT_DPB": "dcpop",
    "arm.FEAT_DPB2": "dcpodp",
    "arm.FEAT_DotProd": "asimddp",
    "arm.FEAT_ECV": "ecv",
    "arm.FEAT_FCMA": "fcma",
    "arm.FEAT_FHM": "asimdfhm",
    "arm.FEAT_FP16": "asimdhp fphp",
    "arm.FEAT_FRINTTS": "frint",
    "arm.FEAT_FlagM": "flagm",
    "arm.FEAT_FlagM2": "flagm2",
    "arm.FEAT_I8MM": "i8mm",
    "arm.FEAT_JSCVT": "jscvt",
    "arm.FEAT_LRCPC": "lrcpc",
    "arm.FEAT_LRCPC2": "ilrcpc",
    "arm.FEAT_LSE": "atomics",
    "arm.FEAT_LSE2": "uscat",
    "arm.FEAT_PAuth": "paca pacg",
    "arm.FEAT_PMULL": "pmull",
    "arm.FEAT_RDM": "asimdrdm",
    "arm.FEAT_SB": "sb",
    "arm.FEAT_SHA1": "sha1",
    "arm.FEAT_SHA256": "sha2",
    "arm.FEAT_SHA3": "sha3",
    "arm.FEAT_SHA512": "sha512",
    "arm.FEAT_SME": "sme",
    "arm.FEAT_SME2": "sme2",
    "arm.FEAT_SSBS": "ssbs",
}
# Features that archspec expects of a target and a platform's interface cannot report: the
# first two are facilities of the Linux kernel.
UNSEEN_ON_APPLE_SILICON = frozenset({"cpuid", "evtstrm"})
UNSEEN_ON_INTEL_MAC = frozenset({"xsavec", "xsaveopt"})


def unseen_by_cpuid() -> frozenset[str]:
    """Features that targets have and archspec's table of cpuid bits has not (clzero, ...)."""
    from archspec.cpu import TARGETS
    from archspec.cpu.schema import CPUID_JSON

    leaves = CPUID_JSON["flags"] + CPUID_JSON["extension-flags"]
    seen = {X86_ALIASES.get(bit["name"], bit["name"]) for leaf in leaves for bit in leaf["bits"]}
    return frozenset().union(*(target.features for target in TARGETS.values())) - seen


def normalise(names: Iterable[str], arch: Arch) -> tuple[str, ...]:
    """Sorted features in archspec's vocabulary; what is no instruction set is left out."""
    from archspec.cpu import TARGETS

    found = {X86_ALIASES.get(name, name) if arch == "x86_64" else name for name in names}
    if "ssse3" in found:
        found.add("sse3")
    known = set(MORE.split()).union(
        *(target.features for target in TARGETS.values() if target.family.name == arch)
    )
    return tuple(sorted(found & known))


def apple_features(sysctl: dict[str, str]) -> set[str]:
    """The features that hw.optional.* says are there."""
    return {
        feature
        for key, names in APPLE_FEATURES.items()
        if sysctl.get(f"hw.optional.{key}") == "1"
        for feature in names.split()
    }


def best_match(
    arch: Arch,
    vendor: str,
    features: Iterable[str],
    *,
    part: str = "",
    ceiling: str = "",
) -> tuple[str, tuple[str, ...]]:
    """The most capable archspec target whose features are all there, and its ancestors.

    The rules are archspec.cpu.detect.host()'s, without looking at the live machine.
    `part` is the arm64 "CPU part". `ceiling` names a target that the answer must not
    pass (Apple's generations share one feature set, so the model decides between them).
    """
    from archspec.cpu import TARGETS

    have = set(features)
    root = TARGETS[arch]
    pool = [
        target
        for target in TARGETS.values()
        if target.family == root
        and target.vendor in (vendor, "generic")
        and target.features <= have
        # archspec lists no features for the generic arm64 levels: nothing to prove them with
        and (arch == "x86_64" or target.vendor != "generic" or target == root)
    ]
    if ceiling in TARGETS:
        top = TARGETS[ceiling]
        pool = [target for target in pool if target == top or target in top.ancestors]
    generic = max((t for t in pool if t.vendor == "generic"), key=_rank, default=root)
    pool = [t for t in pool if part and t.cpu_part == part] or pool
    best = max((t for t in pool if t > generic), key=_rank, default=generic)
    return best.name, tuple(ancestor.name for ancestor in best.ancestors)


def _rank(target: object) -> tuple[int, int]:
    return len(target.ancestors), len(target.features)  # type: ignore[attr-defined]
