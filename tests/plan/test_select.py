"""Selection: the right profile, a sentence for each other one, and no promise the CPU breaks."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.catalog import load_catalog
from smolpc.errors import NoProfileError, PrerequisiteError, UsageError
from smolpc.plan import order
from smolpc.plan.requirements import unmet
from smolpc.plan.select import Selection, explain, select, why
from smolpc.schema.host import Host, Tool
from tests.machines import hosts
from tests.plan.hosts import HOSTS, NVCC, RTX4060, VULKAN, machine

CATALOG = load_catalog()
PROFILES = CATALOG.profiles
RECIPE = CATALOG.engines["llama.cpp"]
CONCRETE = [profile for profile in PROFILES.values() if not profile.abstract]
MACHINES = {**HOSTS, **hosts()}


@pytest.mark.parametrize(
    ("host", "profile"),
    [
        ("core2", "linux-x86_64-portable"),
        ("nehalem", "linux-x86_64-v2"),
        ("ivybridge", "linux-x86_64-avx"),
        ("haswell", "linux-x86_64-avx2"),
        ("skylake-x", "linux-x86_64-avx512"),
        ("icelake", "linux-x86_64-icelake"),
        ("sapphire-rapids", "linux-x86_64-icelake"),
        ("zen3", "linux-x86_64-avx2"),
        ("zen4", "linux-x86_64-zen4"),
        ("rtx4060", "linux-x86_64-avx2"),
        ("rtx4060-cuda", "linux-x86_64-cuda-ada"),
        ("rtx4060-vulkan", "linux-x86_64-vulkan"),
        ("pi4", "linux-aarch64"),
        ("altra", "linux-aarch64-dotprod"),
        ("graviton3", "linux-aarch64-i8mm"),
        ("windows-haswell", "windows-x86_64-avx2"),
        ("windows-ivybridge", "windows-x86_64-portable"),
        ("m1", "macos-arm64"),
        ("intel-mac", "macos-x86_64"),
    ],
)
def test_each_machine_gets_its_profile(host: str, profile: str) -> None:
    assert select(PROFILES, HOSTS[host], RECIPE).profile.name == profile


def required(selection: Selection) -> set[str]:
    """Every CPU feature the build's instructions need."""
    return {flag for name in selection.features for flag in RECIPE.features[name].cpu}


@pytest.mark.parametrize("host", MACHINES.values(), ids=MACHINES)
def test_the_chosen_profile_never_requires_what_the_machine_lacks(host: Host) -> None:
    for wanted in (None, *(profile.name for profile in CONCRETE)):
        try:
            chosen = select(PROFILES, host, RECIPE, wanted)
        except (NoProfileError, PrerequisiteError):
            continue
        if chosen.target.arch == host.cpu.arch and chosen.target.system == host.os.system:
            if not wanted or "cross" not in wanted:
                assert required(chosen) <= set(host.cpu.features)
            assert unmet(chosen.profile, host, RECIPE) == ()


FLAGS = sorted({flag for feature in RECIPE.features.values() for flag in feature.cpu})


@given(st.sets(st.sampled_from(FLAGS)), st.sampled_from(list(MACHINES.values())))
def test_any_set_of_cpu_features_gets_a_build_that_runs_on_it(flags: set[str], base: Host) -> None:
    cpu = msgspec.structs.replace(base.cpu, features=tuple(sorted(flags)))
    host = msgspec.structs.replace(base, cpu=cpu)
    try:
        chosen = select(PROFILES, host, RECIPE)
    except NoProfileError:
        return
    assert required(chosen) <= flags


@pytest.mark.parametrize("host", MACHINES.values(), ids=MACHINES)
def test_every_profile_on_every_machine_gets_one_sentence(host: Host) -> None:
    for name in PROFILES:
        sentence = explain(name, PROFILES, host, RECIPE)
        assert sentence.startswith(name)
        assert sentence.endswith(".")
        assert "\n" not in sentence
        assert "None" not in sentence


@pytest.mark.parametrize("host", MACHINES.values(), ids=MACHINES)
def test_the_order_of_the_files_does_not_change_the_choice(host: Host) -> None:
    names = list(PROFILES)
    random.Random(1).shuffle(names)
    shuffled = {name: PROFILES[name] for name in names}
    try:
        first = select(PROFILES, host, RECIPE)
    except NoProfileError:
        with pytest.raises(NoProfileError):
            select(shuffled, host, RECIPE)
    else:
        assert select(shuffled, host, RECIPE) == first


def test_preference_is_a_strict_partial_order() -> None:
    before = {(a.name, b.name) for a in CONCRETE for b in CONCRETE if order.preferred(a, b, RECIPE)}
    assert not any((b, a) in before for a, b in before)
    assert all((a, d) in before for a, b in before for c, d in before if b == c)


def test_why_lists_the_missing_features_and_the_processor() -> None:
    verdict = why(PROFILES["linux-x86_64-icelake"], HOSTS["haswell"], RECIPE)
    assert not verdict.fits
    assert verdict.reasons == (
        "needs AVX-512, AVX-512 VBMI and AVX-512 VNNI, which this Core i3-4005U does not have",
    )


def test_why_lists_every_unmet_requirement_with_numbers() -> None:
    old = msgspec.structs.replace(
        RTX4060, name="NVIDIA GeForce GTX 1050", compute_capability="6.1", driver="470.10"
    )
    host = machine("haswell", "x", gpus=(old,))
    verdict = why(PROFILES["linux-x86_64-cuda-ada"], host, RECIPE)
    assert verdict.reasons == (
        "needs compute capability 8.9, and NVIDIA GeForce GTX 1050 has 6.1",
        "needs driver 525.60.13 or newer, and NVIDIA GeForce GTX 1050 has 470.10",
    )
    without = why(PROFILES["linux-x86_64-cuda"], HOSTS["zen4"], RECIPE)
    assert without.reasons == (
        "needs an NVIDIA graphics card with compute capability 7.5 or newer; none was found",
    )


def test_a_measured_yield_is_told() -> None:
    host = HOSTS["sapphire-rapids"]
    assert "13 %" in select(PROFILES, host, RECIPE).why
    sentence = explain("linux-x86_64-sapphirerapids", PROFILES, host, RECIPE)
    assert "linux-x86_64-icelake is preferred because" in sentence
    assert "2.07 against 2.38" in sentence


def test_without_the_other_profile_nothing_is_yielded_to() -> None:
    profiles = {k: v for k, v in PROFILES.items() if k != "linux-x86_64-icelake"}
    chosen = select(profiles, HOSTS["sapphire-rapids"], RECIPE)
    assert chosen.profile.name == "linux-x86_64-sapphirerapids"


def test_amx_masked_by_a_hypervisor_is_not_assumed_from_the_name() -> None:
    real = HOSTS["sapphire-rapids"]
    flags = tuple(flag for flag in real.cpu.features if not flag.startswith("amx"))
    host = msgspec.structs.replace(real, cpu=msgspec.structs.replace(real.cpu, features=flags))
    verdict = why(PROFILES["linux-x86_64-sapphirerapids"], host, RECIPE)
    assert "AMX tiles and AMX INT8" in verdict.reasons[0]
    assert select(PROFILES, host, RECIPE).profile.name == "linux-x86_64-icelake"


def test_a_gpu_that_stays_unused_is_said() -> None:
    (note,) = select(PROFILES, HOSTS["rtx4060"], RECIPE).notes
    assert note.startswith("NVIDIA GeForce RTX 4060 is not used: linux-x86_64-cuda-ada fits but")
    assert "nvcc" in note
    assert "apt-get install" in note
    (old,) = select(PROFILES, HOSTS["haswell-gt710"], RECIPE).notes
    assert "NVIDIA GeForce GT 710 is not used" in old
    (inside,) = select(PROFILES, HOSTS["haswell"], RECIPE).notes
    assert "setup --profile linux-x86_64-vulkan-integrated" in inside
    assert select(PROFILES, HOSTS["rtx4060-cuda"], RECIPE).notes == ()


def test_a_missing_build_tool_is_in_the_sentence_with_its_command() -> None:
    sentence = explain("linux-x86_64-cuda-ada", PROFILES, HOSTS["rtx4060"], RECIPE)
    assert "fits the hardware, but cannot be built here" in sentence
    assert "nvidia-cuda-toolkit" in sentence


def test_a_profile_asked_for_by_name() -> None:
    host = HOSTS["zen4"]
    assert select(PROFILES, host, RECIPE, "linux-x86_64-v2").features == ("cpu", "sse42")
    with pytest.raises(UsageError, match="did you mean 'linux-x86_64-icelake'"):
        select(PROFILES, host, RECIPE, "linux-x86_64-icelke")
    with pytest.raises(UsageError):
        select(PROFILES, host, RECIPE, "linux-x86_64")  # abstract
    with pytest.raises(NoProfileError) as caught:
        select(PROFILES, host, RECIPE, "linux-x86_64-sapphirerapids")
    assert "AMX" in caught.value.why
    with pytest.raises(PrerequisiteError) as missing:
        select(PROFILES, HOSTS["rtx4060"], RECIPE, "linux-x86_64-cuda-ada")
    assert "nvcc" in missing.value.why


def test_no_profile_at_all_names_the_nearest_misses() -> None:
    with pytest.raises(NoProfileError) as caught:
        select(PROFILES, HOSTS["windows-arm"], RECIPE)
    assert "linux-aarch64 needs Linux, and this machine runs Windows" in caught.value.why


def test_native_spells_out_what_the_host_has() -> None:
    zen4 = select(PROFILES, HOSTS["zen4"], RECIPE, "native")
    assert {"avx512_bf16", "avx512_vbmi", "avx512_vnni"} <= set(zen4.features)
    assert "amx_int8" not in zen4.features
    xeon = select(PROFILES, HOSTS["sapphire-rapids"], RECIPE, "native")
    assert "avx512_vnni" in xeon.features
    assert not any("amx" in name for name in xeon.features)  # shown, and yet illegal
    arm = select(PROFILES, HOSTS["graviton3"], RECIPE, "native")
    assert arm.features == ("cpu", "arm_dotprod_i8mm")


def test_cuda_needs_a_driver_that_is_new_enough() -> None:
    old = msgspec.structs.replace(RTX4060, driver="470.82")
    host = machine("haswell", "x", gpus=(old,), tools=(NVCC,))
    chosen = select(PROFILES, host, RECIPE)
    assert chosen.profile.name == "linux-x86_64-avx2"
    assert "525.60.13" in chosen.notes[0]


def test_a_card_without_a_vulkan_driver_is_not_given_vulkan() -> None:
    host = HOSTS["rtx4060-vulkan"]
    gpu = msgspec.structs.replace(host.gpus[0], vulkan=False)
    host = msgspec.structs.replace(host, gpus=(gpu,))
    verdict = why(PROFILES["linux-x86_64-vulkan"], host, RECIPE)
    assert verdict.reasons == ("needs a Vulkan driver, and NVIDIA GeForce RTX 4060 has none",)


def test_a_vulkan_sdk_that_is_too_old_is_said_with_what_to_do() -> None:
    """Debian 12: its packages are there, but the engine needs newer headers."""
    old = Tool(name="vulkan-sdk", path="/usr/bin/glslc", version="1.3.239")
    host = machine("haswell", "x", gpus=(RTX4060,), tools=(old,))
    assert select(PROFILES, host, RECIPE).profile.name == "linux-x86_64-avx2"
    with pytest.raises(PrerequisiteError) as caught:
        select(PROFILES, host, RECIPE, "linux-x86_64-vulkan")
    assert "1.3.239 is too old, 1.3.275 or newer is needed" in caught.value.why
    assert "VULKAN_SDK" in caught.value.why
    enough = msgspec.structs.replace(old, version="1.3.275")
    host = machine("haswell", "x", gpus=(RTX4060,), tools=(enough,))
    assert select(PROFILES, host, RECIPE).profile.name == "linux-x86_64-vulkan"


def test_a_device_that_the_processor_imitates_is_no_gpu() -> None:
    """Mesa's llvmpipe: only by name, never named as the way to use a card."""
    host = machine("haswell", "x", tools=(VULKAN,))
    assert select(PROFILES, host, RECIPE).profile.name == "linux-x86_64-avx2"
    assert select(PROFILES, host, RECIPE, "linux-x86_64-vulkan-software").notes == ()
    card = msgspec.structs.replace(RTX4060, driver="", vulkan=False)
    host = machine("haswell", "x", gpus=(card,), tools=(VULKAN,))
    assert "software" not in " ".join(select(PROFILES, host, RECIPE).notes)


def test_the_generic_cuda_profile_takes_gpus_that_are_newer_than_this_release() -> None:
    newer = msgspec.structs.replace(RTX4060, name="NVIDIA B200", compute_capability="10.0")
    host = machine("icelake", "x", gpus=(newer,), tools=(NVCC,))
    assert select(PROFILES, host, RECIPE).profile.name == "linux-x86_64-cuda"
