"""The programs that hold the targets, and how each is built: the real sources, and a file that feeds them.

The C targets are compiled and linked as they are. A Swift program is one module of the package, compiled a second time with the
fuzzer's instrumentation together with Swift/<Module>, and linked with what `swift build` has made of the modules below it.
"""

import hashlib
import json
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# The toolchain's own clang brings libFuzzer and the sanitizers; Debian's would need libclang-rt-dev.
SANITIZE_C = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"]
NIO = """
    Atomics CNIOAtomics CNIODarwin CNIOFreeBSD CNIOLLHTTP CNIOLinux CNIOOpenBSD CNIOPosix CNIOWASI CNIOWindows ContainersPreview DequeModule
    InternalCollectionsUtilities NIO NIOConcurrencyHelpers NIOCore NIOEmbedded NIOHTTP1 NIOPosix _AtomicsShims _NIOBase64 _NIODataStructures
""".split()


class BuildFailed(Exception):
    """What the compiler said."""


def run(command, **options):
    result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if result.returncode != 0:
        raise BuildFailed(f"{' '.join(map(str, command))[:400]}\n{result.stdout}{result.stderr}")
    return result.stdout


class CProgram:
    """One target: C/<name>.c and the sources of the sandbox that it feeds."""

    def __init__(self, name, *sources):
        self.name, self.targets, self.sources = name, [name], sources

    def build(self, tree, output):
        sandbox = tree / "Sandbox"
        includes = [f"-I{sandbox}{part}" for part in ("", "/Protocol/include", "/Core/include", "/Launcher", "/Zygote/include")]
        run(["clang", "-std=c17", "-D_GNU_SOURCE", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-fuse-ld=lld", *SANITIZE_C,
             *includes, f"-I{HERE / 'C'}", HERE / "C" / f"{self.name}.c", *(sandbox / source for source in self.sources),
             "-lseccomp", "-o", output / self.name])


class SwiftProgram:
    """Several targets over one module: whole, or the files that are named."""

    def __init__(self, module, targets, below, files=None):
        self.name, self.targets, self.below, self.files = module, targets, below, files

    def sources(self, tree):
        folder = tree / "Sources" / self.name
        return [folder / name for name in self.files] if self.files else sorted(folder.rglob("*.swift"))

    def build(self, tree, output):
        build = ROOT / ".build/debug"
        program = output / f"{self.name}.program"
        own = [HERE / "Swift/Entry.swift", *sorted((HERE / "Swift" / self.name).glob("*.swift"))]
        objects = self.objects(build)
        (output / f"{self.name}.objects").write_text("".join(f'"{path}"\n' for path in objects), encoding="utf-8")
        run(["swiftc", "-O", "-wmo", "-g", "-parse-as-library", "-module-name", self.name, "-sanitize=fuzzer,address",
             "-use-ld=lld", *self.options(build), *self.sources(tree), *own, f"@{output / f'{self.name}.objects'}", "-o", program],
            cwd=output)  # beside the program it leaves a description of the module
        for target in self.targets:
            (output / target).unlink(missing_ok=True)
            (output / target).hardlink_to(program)

    def options(self, build):
        """Those of the package's own build of this module that say where modules are and which language is meant."""
        plan = (ROOT / ".build/debug.yaml").read_text(encoding="utf-8")
        found = re.search(rf'"C\.{self.name}-[^"]*-debug\.module":\n(?:    .*\n)*?    args: (\[.*\])', plan)
        if not found:
            raise BuildFailed(f"{self.name} is not in .build/debug.yaml; run make build first")
        arguments, kept = iter(json.loads(found[1])), []
        with_value = {"-I", "-Xcc", "-target", "-swift-version", "-enable-upcoming-feature", "-package-name"}
        for argument in arguments:
            if argument in with_value:
                kept += [argument, next(arguments)]
        return kept

    def objects(self, build):
        """What `swift build` has made of the modules below this one: of today's sources, for it leaves those of removed ones behind."""
        objects = []
        for folder in (build / f"{module}.build" for module in self.below):
            listing = folder / "output-file-map.json"
            if listing.exists():
                entries = json.loads(listing.read_text(encoding="utf-8")).values()
                objects += [path for path in (entry.get("object") for entry in entries) if path]
            else:
                objects += map(str, folder.rglob("*.o"))
        missing = [path for path in objects if not pathlib.Path(path).exists()]
        if missing:
            raise BuildFailed(f"{missing[0]} is missing; run make build first")
        return objects


PROGRAMS = [
    CProgram("launcher_requests", "Launcher/requests.c"),
    CProgram("launcher_options", "Launcher/options.c", "Core/seccomp.c", "Core/seccomp_shorten.c", "Core/seccomp_table.c"),
    CProgram("zygote_orders", "Protocol/socket.c"),
    CProgram("narrowed_filters", "Core/seccomp.c", "Core/seccomp_shorten.c", "Core/seccomp_table.c"),
    SwiftProgram("Sandboxing", ["frames", "launcher_messages", "runtime_api"],
                 [*NIO, "ChildProcesses", "CSandboxProtocol", "CSystem", "EgressProxy", "EngineCore", "Logging", "SystemPackage"]),
    SwiftProgram("EngineCore", ["egress_policy"], NIO),
    SwiftProgram("EgressProxy", ["egress_requests"], [*NIO, "EngineCore", "Logging"]),
    SwiftProgram("Frontend", ["json"], [*NIO, "EngineCore"],
                 ["Affinity/JSONPath.swift", "JSON/JSONEscape.swift", "JSON/JSONScanner.swift", "JSON/JSONValue.swift"]),
]
TARGETS = [target for program in PROGRAMS for target in program.targets]


def digest(program, tree):
    """Of everything a program is made of, so that it is built again only when that has changed."""
    if isinstance(program, CProgram):
        files = [HERE / "C/fuzz.h", HERE / "C" / f"{program.name}.c", *sorted((tree / "Sandbox").rglob("*.[ch]"))]
    else:
        files = [HERE / "Swift/Entry.swift", *sorted((HERE / "Swift" / program.name).glob("*.swift")), *program.sources(tree),
                 *sorted((tree / "Sandbox/Protocol").rglob("*.h"))]
        files += [path for module in program.below for path in sorted((tree / "Sources" / module).glob("*.swift"))]
    sums = hashlib.sha256(pathlib.Path(__file__).read_bytes())
    for path in files:
        sums.update(str(path).encode() + path.read_bytes())
    return sums.hexdigest()


def build(program, tree, output):
    """Builds `program` into the folder `output` from the sources in `tree`; says whether there was anything to do."""
    output.mkdir(parents=True, exist_ok=True)
    mark, wanted = output / f"{program.name}.built", digest(program, tree)
    if mark.exists() and mark.read_text(encoding="ascii") == wanted and all((output / name).exists() for name in program.targets):
        return False
    program.build(tree, output)
    mark.write_text(wanted, encoding="ascii")
    return True
