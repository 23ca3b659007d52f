"""PowerShell's own rules, written once: language, parameters, conversion, formatting."""
