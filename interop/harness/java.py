"""Java programs as foreign clients."""

import subprocess

from .jars import programs_classpath
from .server import JVM_FLAGS


def run_java(main: str, *arguments, timeout: float = 120, classpath: str | None = None, input: str = ""):
    """Runs a Java program to its end; returns the finished process with its text."""
    command = ["java", *JVM_FLAGS, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]
    command += ["-cp", classpath or programs_classpath(), main, *map(str, arguments)]
    return subprocess.run(command, input=input, capture_output=True, text=True, timeout=timeout)


def run_checks(main: str, *arguments, timeout: float = 120):
    """Runs a program of checks (`Checks.java`): every one must have passed, and there must have been some."""
    done = run_java(main, *arguments, timeout=timeout)
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert not failed, "\n".join(failed)
    output = f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    assert done.returncode == 0, f"{main} ended with {done.returncode}:\n{output}"
    summary = done.stdout.splitlines()[-1]
    assert int(summary.split()[0]) > 0, summary
