"""Microsoft's compiler lives in an environment of its own."""

from __future__ import annotations

import pytest
from pytest_subprocess import FakeProcess

from smolpc.build import msvc
from smolpc.errors import PrerequisiteError

CL = (
    r"C:\Program Files\Microsoft Visual Studio\2022\BuildTools\VC\Tools\MSVC\14.44.35207"
    r"\bin\Hostx64\x64\cl.exe"
)
SET = (
    "ALLUSERSPROFILE=C:\\ProgramData\r\nInclude=C:\\VC\\include;C:\\SDK\\ucrt\r\n"
    "LIB=C:\\VC\\lib\r\nPath=C:\\Users\\Jürgen\\bin;C:\\VC\\bin\r\nWindowsSDKVersion=10.0.26100.0\\\r\n"
)


@pytest.fixture(autouse=True)
def forget() -> None:
    msvc.environment.cache_clear()


def test_the_batch_file_is_found_from_the_compiler() -> None:
    assert str(msvc.batch_file(CL)).endswith(r"BuildTools\VC\Auxiliary\Build\vcvars64.bat")


def test_only_what_the_compiler_needs_is_taken() -> None:
    assert msvc.parse(SET) == {
        "INCLUDE": r"C:\VC\include;C:\SDK\ucrt",
        "LIB": r"C:\VC\lib",
        "PATH": r"C:\Users\Jürgen\bin;C:\VC\bin",
        "WINDOWSSDKVERSION": "10.0.26100.0\\",
    }


def test_it_is_asked_through_a_script(fp: FakeProcess) -> None:
    fp.register(["cmd.exe", "/d", "/c", fp.any()], stdout=SET)
    assert msvc.environment(CL)["LIB"] == r"C:\VC\lib"


def test_a_broken_installation_is_a_prerequisite(fp: FakeProcess) -> None:
    fp.register(["cmd.exe", "/d", "/c", fp.any()], stdout="not found", returncode=1)
    with pytest.raises(PrerequisiteError) as caught:
        msvc.environment(CL)
    assert caught.value.next_step
