"""Defects to plant, one for each target: a line of the real source, and what it is replaced by in a copy.

`run.py --self-test` builds the targets from that copy and expects every one of them to find its defect. A line that is not in the
source any more, or there twice, fails the self-test as well: then a defect of the same kind belongs in its place.
"""

import shutil

PLANTED = {
    "launcher_requests": ("Sandbox/Launcher/requests.c", "if (message->strings_length != length - sizeof *message)",
                          "if (message->strings_length > length)"),
    "launcher_options": ("Sandbox/Launcher/options.c", "if (options->runtimes_count == RUNTIMES_MAX) return", "if (0) return"),
    "zygote_orders": ("Sandbox/Zygote/zygote.c", "    plan.order.cgroup[WS_CGROUP_NAME_MAX - 1] = '\\0';\n", ""),
    "narrowed_filters": ("Sandbox/Core/seccomp_narrow.c", "BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last, 3, 0)",
                         "BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, last, 3, 0)"),
    "frames": ("Sources/Sandboxing/Frame.swift", "guard length <= UInt32(Frame.payloadMax) else { throw .length(length) }",
               "guard length <= unread.readableBytes else { throw .length(length) }"),
    "launcher_messages": ("Sources/Sandboxing/LauncherEvent.swift", "bytes.count >= MemoryLayout<Body>.size ? bytes.loadUnaligned",
                          "bytes.count >= 24 ? bytes.loadUnaligned"),
    "runtime_api": ("Sources/Sandboxing/RuntimeAPIAnswer.swift", "if value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {",
                    "if value.isEmpty {"),
    "egress_policy": ("Sources/EngineCore/IPAddress.swift", "            guard value <= 255 else { return nil }\n", ""),
    "egress_requests": ("Sources/EgressProxy/EgressRequest.swift", '        headers.remove(name: "host")\n', ""),
    "json": ("Sources/Frontend/JSON/JSONScanner.swift", "case 0xC2...0xDF: count = 2", "case 0xC0...0xDF: count = 2"),
}


class Stale(Exception):
    """A defect that cannot be planted."""


def plant(root, tree):
    """Copies the sources below `root` that programs are built of to `tree`, with every defect in its place."""
    shutil.rmtree(tree, ignore_errors=True)
    for folder in ("Sandbox", "Sources/Sandboxing", "Sources/EngineCore", "Sources/EgressProxy", "Sources/Frontend"):
        shutil.copytree(root / folder, tree / folder)
    for target, (path, right, wrong) in PLANTED.items():
        text = (tree / path).read_text(encoding="utf-8")
        if text.count(right) != 1:
            raise Stale(f"{target}: {path} has {text.count(right)} times what the planted defect replaces; write another into {__file__}")
        (tree / path).write_text(text.replace(right, wrong), encoding="utf-8")
