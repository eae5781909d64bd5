/// What holds for one function's sandbox, as the kernel says it of a container started for the question.
///
/// The sections and the form of their lines are the launcher's (`ws_container_inspect` of `wayside_protocol.h`): `status`,
/// `namespaces`, `id_maps`, `mounts`, `limits`, `cgroup`, `landlock`, `seccomp`, `unenforced`. A section that could not be read is absent.
public struct SandboxReport: Hashable, Sendable, Codable {
    /// One `[name]` and the lines beneath it.
    public struct Section: Hashable, Sendable, Codable {
        public var name: String
        public var lines: [String]

        public init(name: String, lines: [String]) {
            self.name = name
            self.lines = lines
        }
    }

    public var sections: [Section]

    public init(sections: [Section]) { self.sections = sections }

    /// Reads the launcher's text. Lines before the first section are dropped, empty lines too. O(text).
    public init(text: String) {
        var sections: [Section] = []
        for line in text.split(separator: "\n") {
            if line.first == "[", line.last == "]" {
                sections.append(Section(name: String(line.dropFirst().dropLast()), lines: []))
            } else if !sections.isEmpty {
                sections[sections.count - 1].lines.append(String(line))
            }
        }
        self.sections = sections
    }

    /// How many system calls the filter permits, some with conditions on their arguments.
    public var permittedSystemCalls: Int {
        Set(lines("seccomp").filter { $0.hasPrefix("allow ") }.compactMap { $0.split(separator: " ").dropFirst().first }).count
    }

    /// The lines of a section; none if it is absent. O(sections).
    public func lines(_ name: String) -> [String] { sections.first { $0.name == name }?.lines ?? [] }
}
