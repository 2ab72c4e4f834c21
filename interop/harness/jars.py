"""Java class paths, fetched once by Maven from the small poms in `interop/java`."""

import functools
import hashlib
import shutil
import subprocess

from .paths import INTEROP, WORK

NEWEST = "3.9.5"
"""The ZooKeeper release that Grevy is measured against."""

_JAVA = INTEROP / "java"


@functools.cache
def server_classpath(version: str = NEWEST) -> str:
    """The class path of the ZooKeeper server of `version`."""
    # The logging facade changed its way of finding a binding with the 2.x line, used from 3.9 on.
    slf4j = "2.0.13" if version.startswith("3.9") else "1.7.36"
    return _fetch("server", f"server-{version}", f"-Dzookeeper.version={version}", f"-Dslf4j.version={slf4j}")


@functools.cache
def kafka_classpath() -> str:
    """The class path of a Kafka broker and of Kafka's command-line tools."""
    return _fetch("kafka", "kafka")


@functools.cache
def programs_classpath() -> str:
    """The compiled programs of `interop/java/src`, with ZooKeeper's Java client and Curator."""
    return _compile("src", _fetch("clients", "clients"), "classes")


@functools.cache
def kafka_programs_classpath() -> str:
    """The compiled programs of `interop/java/kafka`, with Kafka."""
    return _compile("kafka", kafka_classpath(), "kafka-classes")


def _compile(folder: str, libraries: str, target: str) -> str:
    sources = sorted(_JAVA.glob(f"{folder}/*.java"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + libraries.encode()).hexdigest()
    classes = WORK / target
    stamp = classes / "stamp"
    if not stamp.exists() or stamp.read_text() != digest:
        shutil.rmtree(classes, ignore_errors=True)
        classes.mkdir(parents=True)
        compiler = ["javac", "-Xlint:deprecation,rawtypes,unchecked", "-d", classes, "-cp", libraries]
        subprocess.run([*compiler, *sources], check=True)
        stamp.write_text(digest)
    return f"{classes}:{libraries}"


def _fetch(pom: str, folder: str, *properties: str) -> str:
    """Copies the dependencies of a pom to `.work/jars/<folder>`, unless they are there for this very pom."""
    pom_file = _JAVA / pom / "pom.xml"
    target = WORK / "jars" / folder
    stamp = target / "stamp"
    wanted = hashlib.sha256(pom_file.read_bytes() + repr(properties).encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(target, ignore_errors=True)
        command = ["mvn", "-B", "-q", "-f", pom_file, *properties]
        command += ["dependency:copy-dependencies", f"-DoutputDirectory={target}"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        stamp.write_text(wanted)
    return ":".join(str(path) for path in sorted(target.glob("*.jar")))
