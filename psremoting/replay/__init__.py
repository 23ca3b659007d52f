"""Replay of recordings: the recorded server to any client, the recorded client to any server.

`script` reads a recording into conversations, `comparing` compares messages by meaning,
`recorded_server` is an engine for `psremoting.endpoint`, `recorded_client` plays the client.
"""

from __future__ import annotations

from psremoting.replay.comparing import Deviation, IgnoreRules, compare_scripts
from psremoting.replay.recorded_client import play_client
from psremoting.replay.recorded_server import ReplayEngine
from psremoting.replay.script import Script, read_script, read_scripts

__all__ = [
    "Deviation",
    "IgnoreRules",
    "ReplayEngine",
    "Script",
    "compare_scripts",
    "play_client",
    "read_script",
    "read_scripts",
]
