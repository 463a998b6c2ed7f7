"""Crosstune's commands: each starts a binary beside this file, with the libtorch of the installed torch.

torch itself is not imported: that takes a second, and the binaries need its libraries alone.
"""

import os
import sys

TORCH = "{torch}"
LIBRARY = "libtorch_cpu.so"


def image():
    run("crosstune-image")


def audio():
    run("crosstune-audio")


def text():
    run("crosstune-text")


def run(name):
    """Becomes the binary."""
    torch = find_torch()
    if torch is None:
        fail(f"torch {TORCH} is not installed for {sys.executable}: pip install torch=={TORCH}")
    found = version(torch)
    if found is not None and found.split("+")[0] != TORCH:
        fail(f"torch {found} is installed, but this build needs {TORCH}: pip install torch=={TORCH}")
    binary = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", name)
    folder = os.path.join(torch, "lib")
    # The binary looks beside itself. It is told where torch is elsewhere, as in a virtual environment
    # on top of another, or where another libtorch would come first.
    beside = os.path.join(os.path.dirname(os.path.realpath(binary)), "..", "..", "torch", "lib")
    before = os.environ.get("LD_LIBRARY_PATH")
    if before or os.path.realpath(beside) != os.path.realpath(folder):
        os.environ["LD_LIBRARY_PATH"] = f"{folder}:{before}" if before else folder
    try:
        os.execv(binary, [name, *sys.argv[1:]])
    except OSError as error:
        fail(f"{binary}: {error.strerror}; install crosstune again")


def find_torch():
    """The folder of the torch that `import torch` would take; None: there is none."""
    for path in sys.path:
        folder = os.path.join(path, "torch")
        if os.path.isfile(os.path.join(folder, "lib", LIBRARY)):
            return folder
    # One that is installed by a link to where it was built.
    from importlib.util import find_spec

    spec = find_spec("torch")
    for folder in (spec and spec.submodule_search_locations) or []:
        if os.path.isfile(os.path.join(folder, "lib", LIBRARY)):
            return folder
    return None


def version(torch):
    """The version of a torch; None: it does not say."""
    try:
        with open(os.path.join(torch, "version.py"), encoding="utf-8") as file:
            for line in file:
                if line.startswith("__version__ ="):
                    return line.split("=", 1)[1].strip().strip("'\"")
    except OSError:
        pass
    return None


def fail(problem):
    print(f"error: {problem}", file=sys.stderr)
    sys.exit(1)
