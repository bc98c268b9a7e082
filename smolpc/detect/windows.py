"""One question to Windows: a PowerShell call whose JSON answer several facts share."""

from __future__ import annotations

import msgspec

from smolpc.detect.machine import Machine, json_in

# No property here names the user, the computer or a serial number. HDMI "Input" devices
# match %NPU% too: the parser of npu.py sorts them out. The registry tells the real size of
# video memory; AdapterRAM is a 32-bit number and stops at 4 GiB.
SCRIPT = r"""
$ErrorActionPreference='SilentlyContinue'
[Console]::OutputEncoding=[Text.Encoding]::UTF8
$class='HKLM:\SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}\0*'
@{
 os=(Get-CimInstance Win32_OperatingSystem | Select-Object Caption,Version)
 cpu=@(Get-CimInstance Win32_Processor |
  Select-Object Name,Manufacturer,NumberOfCores,NumberOfLogicalProcessors)
 video=@(Get-CimInstance Win32_VideoController |
  Select-Object Name,AdapterRAM,DriverVersion,@{n='Id';e={($_.PNPDeviceID -split '\\')[1]}})
 registry=@(Get-ItemProperty $class |
  Select-Object DriverDesc,@{n='Memory';e={$_.'HardwareInformation.qwMemorySize'}})
 npu=@(Get-CimInstance Win32_PnPEntity -Filter "PNPClass='ComputeAccelerator' OR
  Name LIKE '%AI Boost%' OR Name LIKE '%NPU%'" | Select-Object Name,Manufacturer)
} | ConvertTo-Json -Depth 4 -Compress
""".strip()
ARGV = ("powershell.exe", "-NoProfile", "-NonInteractive", "-Command", SCRIPT)


class Os(msgspec.Struct):
    Caption: str = ""
    Version: str = ""


class Processor(msgspec.Struct):
    Name: str | None = ""
    Manufacturer: str | None = ""
    NumberOfCores: int | None = 1
    NumberOfLogicalProcessors: int | None = 1


class Video(msgspec.Struct):
    Name: str | None = ""
    AdapterRAM: int | None = None
    DriverVersion: str | None = ""
    Id: str | None = ""  # "VEN_10DE&DEV_28A1&SUBSYS_..."


class RegistryEntry(msgspec.Struct):
    DriverDesc: str | None = ""
    Memory: int | None = None


class Device(msgspec.Struct):
    Name: str | None = ""
    Manufacturer: str | None = ""


class Inventory(msgspec.Struct):
    os: Os = msgspec.field(default_factory=Os)
    cpu: list[Processor] = []
    video: list[Video] = []
    registry: list[RegistryEntry] = []
    npu: list[Device] = []


def parse(text: str | None) -> Inventory | None:
    """The answer of SCRIPT, or None when it is not one."""
    try:
        return msgspec.convert(json_in(text), Inventory)
    except msgspec.ValidationError:
        return None


def inventory(machine: Machine, gaps: list[str]) -> Inventory:
    """What Windows says about itself; empty, with a gap, when it does not answer."""
    found = parse(machine.run(*ARGV))
    if found is None:
        gap = "PowerShell did not answer: processor, GPU and NPU names are not known"
        if gap not in gaps:
            gaps.append(gap)
        return Inventory()
    return found
