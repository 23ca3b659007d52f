"""The settings of the service, named as by WinRM: their ranges, their defaults, and the quotas."""

from __future__ import annotations

from psremoting.administration.configurations import AdministrationError
from wsman.service_checks import ServiceLimits

__all__ = ["SETTING_DEFAULTS", "checked_setting", "service_limits"]

_LIMITS = {
    "MaxEnvelopeSizekb": ("max_envelope_size", 1024, 8, 16_384),
    "MaxTimeoutms": ("max_timeout", 0.001, 500, 2**31 - 1),
    "MaxConcurrentUsers": ("max_users", 1, 1, 100),
    "MaxShellsPerUser": ("max_shells_per_user", 1, 1, 2**31 - 1),
    "MaxShells": ("max_shells", 1, 1, 2**31 - 1),
    "MaxConcurrentOperationsPerUser": ("max_operations_per_user", 1, 1, 2**32 - 1),
    "IdleTimeout": ("idle_timeout", 0.001, 60_000, 2**31 - 1),
    "MaxBatchItems": ("max_batch_items", 1, 1, 2**31 - 1),
    "EnumerationTimeoutms": ("enumeration_timeout", 0.001, 500, 2**31 - 1),
}
"""Setting of the store, named as by WinRM, to our limit, its unit, its least and greatest value."""
_RANGES = {name: (least, most) for name, (_, _, least, most) in _LIMITS.items()} | {
    "MaxConnections": (1, 2**31 - 1)
}
_SWITCHES = ("AllowUnencrypted", "AllowCredSSP")
_KEYTAB = "keytab"
_MOST_DIGITS = 10

SETTING_DEFAULTS = {
    name: str(round(getattr(ServiceLimits(), field) / unit))
    for name, (field, unit, _, _) in _LIMITS.items()
} | {"MaxConnections": "300", "AllowUnencrypted": "false", "AllowCredSSP": "false", _KEYTAB: ""}
"""Setting to its default as text, for settings that are missing in the store."""


def checked_setting(name: str, value: str) -> str:
    """Return the value of a setting of the service. Raises AdministrationError."""
    if name in _RANGES:
        least, most = _RANGES[name]
        digits = value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS
        if not digits or not least <= int(value) <= most:
            raise AdministrationError(f"{name}: expected a number from {least} to {most}")
    elif name in _SWITCHES:
        if value not in ("true", "false"):
            raise AdministrationError(f"{name}: expected true or false")
    elif name == _KEYTAB:
        if not value.startswith("/") or not value.isprintable():
            raise AdministrationError(f"{name}: expected the absolute path of a file")
    else:
        raise AdministrationError(
            f"unknown quota {name!r:.80}; expected one of {', '.join(SETTING_DEFAULTS)}"
        )
    return value


def service_limits(settings: dict[str, str]) -> ServiceLimits:
    """Return the quotas of the service. Raises AdministrationError for a value out of range."""
    for name in SETTING_DEFAULTS.keys() & settings.keys():
        checked_setting(name, settings[name])
    values: dict[str, float] = {}
    for name, (field, unit, _, _) in _LIMITS.items():
        if name in settings:
            value = int(settings[name]) * unit
            values[field] = int(value) if isinstance(unit, int) else value
    return ServiceLimits(**values)  # type: ignore[arg-type]
