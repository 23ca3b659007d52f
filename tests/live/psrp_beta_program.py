"""The work of `test_other_clients.py` with the asynchronous client of pypsrp 1.0.0b1.

Run with the Python of an environment that has it: its package ``psrp`` cannot be installed beside
ours. Argument: JSON with ``url`` and the options of WSManInfo. Prints JSON, a member for each step.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any


def values(found: Any) -> list[Any]:
    return [each if isinstance(each, (int, str, bool, type(None))) else str(each) for each in found]


async def work(options: dict[str, Any]) -> dict[str, Any]:
    psrp = importlib.import_module("psrp")
    made = psrp.WSManInfo(options.pop("url"), **options)
    found: dict[str, Any] = {}

    async def run(pool: Any, script: str, *arguments: Any, data: Any = None) -> list[Any]:
        command = psrp.AsyncPowerShell(pool)
        command.add_script(script)
        for each in arguments:
            command.add_argument(each)
        try:
            output = values(await command.invoke(input_data=data))
        except psrp.PipelineFailed as error:
            return [f"failed: {error}"]
        return output + [f"error: {each}" for each in command.streams.error]

    async with psrp.AsyncRunspacePool(made, max_runspaces=2) as pool:
        found["numbers"] = await run(pool, "1..3; 'é'; $true; $null")
        found["large argument"] = await run(pool, "param($x) $x.Length", "z" * 300_000)
        found["large output"] = [len(each) for each in await run(pool, "'q' * 300kb")]
        found["input"] = await run(pool, "$input | Measure-Object | % Count", data=range(200))
        found["error"] = await run(pool, "Write-Error e; 1")
        found["throw"] = await run(pool, "throw 'boom'")
        secret = psrp_secret("sec")
        await pool.exchange_key()
        script = "param($p) [pscredential]::new('x', $p).GetNetworkCredential().Password"
        found["secret"] = await run(pool, script, secret)
        slow = psrp.AsyncPowerShell(pool)
        slow.add_script("1; Start-Sleep 60; 2")
        task = await slow.invoke_async()
        await asyncio.sleep(1)
        await slow.stop()
        try:
            await task
            found["stop"] = "ended"
        except psrp.PipelineStopped:
            found["stop"] = "stopped"
        both = await asyncio.gather(*(run(pool, f"Start-Sleep 1; {n}") for n in (1, 2)))
        found["two at once"] = sorted(both)
    with tempfile.TemporaryDirectory() as folder:
        here, there, back = (Path(folder) / name for name in ("here", "there", "back"))
        here.write_bytes(bytes(range(256)) * 1000)
        there.parent.chmod(0o777)
        await asyncio.to_thread(psrp.copy_file, made, here, str(there))
        await asyncio.to_thread(psrp.fetch_file, made, str(there), back)
        found["copy"] = back.read_bytes() == here.read_bytes()
    return found


def psrp_secret(text: str) -> Any:
    return importlib.import_module("psrpcore.types").PSSecureString(text)


async def leave(options: dict[str, Any]) -> dict[str, Any]:
    """Disconnect while a command runs, and come back."""
    psrp = importlib.import_module("psrp")
    made = psrp.WSManInfo(options.pop("url"), **options)
    pool = psrp.AsyncRunspacePool(made)
    await pool.open()
    command = psrp.AsyncPowerShell(pool)
    command.add_script("1; Start-Sleep 2; 2")
    task = await command.invoke_async()
    await pool.disconnect()
    await pool.connect()
    found: dict[str, Any] = {"reconnected": values(await command.connect())}
    with suppress(Exception):
        await task
    again = psrp.AsyncPowerShell(pool)
    again.add_script("3; Start-Sleep 2; 4")
    await again.invoke_async()
    await pool.disconnect()
    return found | {"pool": str(pool._pool.runspace_pool_id)}


async def come_back(options: dict[str, Any]) -> dict[str, Any]:
    """Connect to the session that another process has left."""
    psrp = importlib.import_module("psrp")
    wanted = options.pop("pool")
    made = psrp.WSManInfo(options.pop("url"), **options)
    async for pool in psrp.AsyncRunspacePool.get_runspace_pools(made):
        if str(pool._pool.runspace_pool_id) == wanted:
            async with pool:
                (waiting,) = pool.create_disconnected_power_shells()
                return {"connected": values(await waiting.connect())}
    return {"connected": "not found"}


if __name__ == "__main__":
    steps = {"work": work, "leave": leave, "come back": come_back}[sys.argv[1]]
    print(json.dumps(asyncio.run(steps(json.loads(sys.argv[2])))))
