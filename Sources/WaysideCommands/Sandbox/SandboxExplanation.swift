internal import EngineCore
internal import Frontend

/// The report of a sandbox as a person reads it: one block for each layer, the outermost first.
///
/// What the kernel said is condensed, never interpreted away: a line whose form is not known is printed as it is.
struct SandboxExplanation {
    let answer: SandboxAnswer
    let isVerbose: Bool
    /// Columns; only a word that is longer stands out.
    let width: Int

    private static let labelWidth = 14
    /// The sections that a block is made of.
    private static let known: Set = [
        "status", "namespaces", "id_maps", "mounts", "landlock", "seccomp", "limits", "cgroup", "unenforced",
    ]

    func render() -> String {
        var text = Paragraph(width: width, labelWidth: Self.labelWidth)
        text.add("function", "\(answer.function) \(answer.version == .latest ? "$LATEST" : "")")
        text.add("runtime", "\(answer.runtime), \(ByteCount(answer.memoryBytes)), \(Int(answer.timeout)) s")
        let layers = [namespaces, identity, mounts, capabilities, landlock, systemCalls, limits, cgroup, egress, isolation, unenforced]
        for block in layers + others {
            text.addBlank()
            text.add(block.label, each: block.items)
        }
        return text.lines.joined(separator: "\n")
    }

    private struct Block {
        let label: String
        let items: [String]

        /// What is not reported is said to be unknown, for nothing printed would look like nothing held.
        init(_ label: String, _ items: [String]) {
            self.label = label
            self.items = items.isEmpty ? ["not reported"] : items
        }
    }

    private func lines(_ section: String) -> [String] { answer.report.lines(section) }

    /// `Name: value` lines of `/proc/PID/status`.
    private var status: [String: String] {
        var status: [String: String] = [:]
        for line in lines("status") {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { status[String(parts[0])] = parts[1].split(whereSeparator: \.isWhitespace).joined(separator: " ") }
        }
        return status
    }

    // MARK: - Layers

    /// `name inode own|shared`
    private var namespaces: Block {
        var names: [String: [Substring]] = [:]
        var others: [String] = []
        for line in lines("namespaces") {
            let words = line.split(separator: " ")
            if words.count == 3, words[2] == "own" || words[2] == "shared" {
                names[String(words[2]), default: []].append(words[0])
            } else {
                others.append(line)
            }
        }
        let summary = [("own", "its own"), ("shared", "shared with the launcher's worker")].compactMap { kind, text in
            names[kind].map { "\(text): \($0.joined(separator: " "))" }
        }
        return Block("namespaces", summary + others)
    }

    private var identity: Block {
        let ids = ["Uid", "Gid", "Groups"].compactMap { name in
            status[name].flatMap { $0.isEmpty ? nil : "\(name.lowercased()) \(Self.once($0))" }
        }
        return Block("identity", (ids.isEmpty ? [] : [ids.joined(separator: ", ")]) + lines("id_maps").map(Self.blanksMerged))
    }

    /// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAGS…] - TYPE SOURCE SUPER` (proc_pid_mountinfo(5))
    private var mounts: Block {
        var seen: Set<String> = []
        let mounts = lines("mounts").map { line -> (text: String, isWritable: Bool) in
            let words = line.split(separator: " ")
            guard words.count >= 10, let dash = words.firstIndex(of: "-"), dash + 2 < words.count else { return (line, true) }
            // A mount is writable only if both it and its file system are.
            let isWritable = [words[5], words[words.count - 1]].allSatisfy { $0.split(separator: ",").contains("rw") }
            let isReadOnlyBeneath = !isWritable && words[5].split(separator: ",").contains("rw")
            return ("\(words[4]) \(words[dash + 1]) \(words[5])\(isReadOnlyBeneath ? ", its file system ro" : "")", isWritable)
        }.filter { seen.insert($0.text).inserted }
        guard !isVerbose, !mounts.isEmpty else { return Block("mounts", mounts.map(\.text)) }
        let readOnlyCount = mounts.count { !$0.isWritable }
        return Block("mounts", mounts.filter(\.isWritable).map(\.text) + ["and \(readOnlyCount) that are read-only"])
    }

    private var capabilities: Block {
        let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].compactMap { name in status[name].map { (name, $0) } }
        guard !sets.isEmpty else { return Block("capabilities", []) }
        let held = sets.filter { $0.1.contains { $0 != "0" } }.map { "\($0.0) \($0.1)" }
        let privileges = status["NoNewPrivs"] == "1" ? "no new privileges by exec" : "new privileges by exec are possible"
        return Block("capabilities", [held.isEmpty ? "none in any set" : held.joined(separator: ", "), privileges])
    }

    private var landlock: Block { Block("Landlock", lines("landlock")) }

    private var systemCalls: Block {
        let rules = lines("seccomp").map { SeccompRuleLine($0) }
        var items: [String] = []
        if let filters = status["Seccomp_filters"] { items.append("\(filters) filter\(filters == "1" ? "" : "s")") }
        if let profile = answer.systemCalls { items.append("narrowed to a profile of its own with \(profile.count) names") }
        items += zip(rules, lines("seccomp")).filter { $0.0 == nil }.map(\.1)
        let allowed = rules.compactMap { $0 }.filter { $0.isAllowed }
        let refused = rules.compactMap { $0 }.filter { !$0.isAllowed }
        guard !allowed.isEmpty || !refused.isEmpty else { return Block("system calls", items) }
        items.append("\(Set(allowed.map(\.name)).count) allowed:")
        items += families(allowed)
        items.append("\(Set(refused.map(\.name)).count) refused with EPERM\(isVerbose ? ":" : "; --verbose tells why")")
        if isVerbose { items += families(refused) }
        items.append("every other call answers ENOSYS")
        return Block("system calls", items)
    }

    /// Calls of one reason are one family. Briefly only their number is told, and conditions only that there are some.
    private func families(_ rules: [SeccompRuleLine]) -> [String] {
        var names: [String: [String]] = [:]
        var order: [String] = []
        for rule in rules {
            let isConditional = !rule.conditions.isEmpty
            let family = isConditional && !isVerbose ? "With certain arguments only:" : rule.reason
            if names[family] == nil { order.append(family) }
            let name = isConditional && isVerbose ? "\(rule.name) if \(rule.conditions)" : rule.name
            if names[family]?.contains(name) != true { names[family, default: []].append(name) }
        }
        return order.map { family in
            let members = names[family] ?? []
            if isVerbose { return "  \(members.joined(separator: " ")): \(family)" }
            return "  \(members.count) \(family)" + (family.hasSuffix(":") ? " \(members.joined(separator: " "))" : "")
        }
    }

    /// `/proc/PID/limits`: columns at fixed places, of which those that limit something are shown.
    private var limits: Block {
        let rows = lines("limits").filter { !$0.hasPrefix("Limit ") }.compactMap { line -> String? in
            let words = line.split(separator: " ")
            guard let value = words.firstIndex(where: { $0 == "unlimited" || $0.allSatisfy(\.isNumber) }), value > 0 else { return line }
            if words[value] == "unlimited" { return isVerbose ? Self.blanksMerged(line) : nil }
            let name = words[..<value].drop { $0 == "Max" }.joined(separator: " ")
            // Most units only repeat the name: processes, files, signals.
            let unit = words[words.count - 1]
            return "\(name) \(words[value])\(["bytes", "seconds", "us"].contains(unit) ? " \(unit)" : "")"
        }
        return Block("limits", isVerbose || rows.isEmpty ? rows : [rows.joined(separator: ", ")])
    }

    private var cgroup: Block { Block("cgroup", lines("cgroup")) }

    private var egress: Block {
        guard !answer.egress.isEmpty else { return Block("egress", ["none: it reaches no network"]) }
        return Block("egress", ["through the proxy alone, to:"] + answer.egress.map { "  \($0)" })
    }

    private var isolation: Block {
        switch answer.isolation {
        case .shared: Block("isolation", ["shared: containers of its runtime may have one address-space layout"])
        case .exec: Block("isolation", ["exec: every container is executed anew, with an address-space layout of its own"])
        }
    }

    private var unenforced: Block {
        let sentences = lines("unenforced")
        return Block("not enforced", sentences.isEmpty ? ["nothing is missing here"] : sentences)
    }

    /// What the node adds to the kernel's report, as it is.
    private var others: [Block] {
        answer.report.sections.filter { !Self.known.contains($0.name) }
            .map { Block($0.name == "profile" ? "measured" : $0.name, $0.lines.map { $0.replacing("_", with: " ") }) }
    }

    // MARK: - Texts

    private static func blanksMerged(_ line: String) -> String { line.split(whereSeparator: \.isWhitespace).joined(separator: " ") }

    /// One number for four that are equal (real, effective, saved, file system).
    private static func once(_ ids: String) -> String {
        let words = Set(ids.split(separator: " "))
        return words.count == 1 ? words.first.map(String.init) ?? ids : ids
    }
}
