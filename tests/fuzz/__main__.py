"""`make fuzz`: run targets, coverage-guided if atheris is installed, and save what breaks them.

    python -m tests.fuzz                         all targets, 20,000 inputs each
    python -m tests.fuzz clixml packets --runs 1000000
    python -m tests.fuzz clixml --input FILE     one input again

An input that breaks a promise is saved below build/fuzz and ends its target; the exit code is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import time
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

if "--here" in sys.argv and "--plain" not in sys.argv and find_spec("atheris") is not None:
    import atheris

    # Only modules that are imported inside this block count as covered code.
    with atheris.instrument_imports(include=["psrp", "wsman", "sshsub", "psremoting"]):
        from tests.fuzz.every import TARGETS
else:
    from tests.fuzz.every import TARGETS

from tests.fuzz.mutator import mutated
from tests.fuzz.seeds import WORDS
from tests.fuzz.target import Finding, Target, check

FOLDER = Path("build/fuzz")


def main() -> int:
    options = _options()
    if options.input is not None:
        check(TARGETS[options.targets[0]], options.input.read_bytes())
        return 0
    if options.here:
        return _here(TARGETS[options.targets[0]], options)
    broken = []
    for name in options.targets or sorted(TARGETS):
        start = time.monotonic()
        command = [sys.executable, "-m", "tests.fuzz", name, "--here", "--runs", str(options.runs)]
        command += ["--seed", str(options.seed), *(["--plain"] if options.plain else [])]
        done = subprocess.run(
            command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        result = "BROKEN" if done.returncode else "ok"
        print(
            f"{name}: {options.runs} inputs, {time.monotonic() - start:.0f} s, {result}", flush=True
        )
        if done.returncode:
            print(done.stdout[-4000:], flush=True)
        broken += [name] if done.returncode else []
    print(f"{len(broken)} of {len(options.targets or TARGETS)} targets have a finding", flush=True)
    return 1 if broken else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__.split("\n")[0]
    )
    parser.add_argument("targets", nargs="*", choices=[[], *sorted(TARGETS)], metavar="TARGET")
    parser.add_argument("--runs", type=int, default=20_000, help="inputs for each target")
    parser.add_argument("--seed", type=int, default=0, help="another sequence of inputs")
    parser.add_argument("--plain", action="store_true", help="do without atheris")
    parser.add_argument("--input", type=Path, help="run one target on this file")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _here(found: Target, options: argparse.Namespace) -> int:
    if find_spec("atheris") is not None and not options.plain:
        return _guided(found, options)
    corpus = list(found.seeds())
    for data in islice(mutated(corpus, options.seed), options.runs):
        try:
            check(found, data)
        except Finding as finding:
            print(f"{finding}\nsaved as {_save(found, data)}", file=sys.stderr)
            return 1
    return 0


def _save(found: Target, data: bytes) -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{found.name}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path


def _guided(found: Target, options: argparse.Namespace) -> int:
    """Run atheris, which ends the process. ``found`` was imported with its instrumentation."""
    import atheris

    corpus = FOLDER / "corpus" / found.name
    corpus.mkdir(parents=True, exist_ok=True)
    for data in found.seeds():
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    words = FOLDER / "words"
    quoted = ("".join(f"\\x{each:02x}" for each in word) for word in WORDS)
    words.write_text("".join(f'"{each}"\n' for each in quoted))
    atheris.Setup(
        ["fuzz", f"-atheris_runs={options.runs}", f"-seed={options.seed or 1}", f"-dict={words}",
         f"-artifact_prefix={FOLDER}/{found.name}-", "-max_len=20000", "-timeout=60",
         "-print_final_stats=0", "-verbosity=0", str(corpus)],
        lambda data: check(found, data),
    )  # fmt: skip
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
