import SystemPackage

/// The names of a bundle being unpacked: every rule about names, and no file.
///
/// Two rules together keep all writes in the bundle's folder. A name consists of plain components only, and nothing may
/// lie beneath a name that is not a folder; so no write passes through a link, whichever order the archive has.
///
/// A link's target may start with as many `..` as the link is deep and must otherwise only descend. That keeps even
/// chains of links inside: the leading `..` climb real folders, and any link the descent meets obeys the same rule.
/// A check of the joined text alone would not do: `d/self -> .` makes `d/self/../..` end above where it seems to.
struct BundleLayout {
    private enum Kind { case folder, leaf }

    let limits: ExtractionLimits
    private var kinds: [FilePath: Kind] = [:]
    private(set) var hasLeaf = false

    init(limits: ExtractionLimits) { self.limits = limits }

    /// Enters a folder. Naming one twice is harmless and permitted.
    /// - Returns: the folders to make, parents first.
    mutating func addFolder(_ rawName: FilePath) throws(ContentError) -> [FilePath] {
        try enterFolders(try checked(rawName))
    }

    /// Enters a file or link.
    /// - Returns: its checked name and the folders to make first, parents first.
    mutating func addLeaf(_ rawName: FilePath) throws(ContentError) -> (name: FilePath, folders: [FilePath]) {
        let name = try checked(rawName)
        guard !name.isEmpty else { throw unsafe(rawName) }
        let folders = try enterFolders(name.removingLastComponent())
        guard kinds[name] == nil else { throw duplicate(name) }
        try enter(name, .leaf)
        hasLeaf = true
        return (name, folders)
    }

    /// - Parameter name: checked name of the link.
    func checkLink(_ name: FilePath, target: FilePath) throws(ContentError) {
        guard target.length <= limits.nameBytes else { throw tooLong(target) }
        let climbs = target.components.prefix { $0.kind == .parentDirectory }.count
        let descent = target.components.dropFirst(climbs)
        guard !target.isEmpty, target.isRelative, climbs < name.components.count,
            descent.allSatisfy({ $0.kind != .parentDirectory })
        else {
            throw ContentError(
                .unsafeLink,
                """
                The link \(name.quoted) to \(target.quoted) could lead out of the bundle. \
                Use a relative target inside it, with `..` only at the start.
                """)
        }
    }

    private func checked(_ rawName: FilePath) throws(ContentError) -> FilePath {
        guard rawName.length <= limits.nameBytes, rawName.components.count <= limits.depth,
            rawName.components.allSatisfy({ $0.string.utf8.count <= 255 })
        else { throw tooLong(rawName) }
        guard !rawName.isEmpty, rawName.isRelative, !rawName.components.contains(where: { $0.kind == .parentDirectory })
        else { throw unsafe(rawName) }
        return FilePath(root: nil, rawName.components.filter { $0.kind == .regular })
    }

    private mutating func enterFolders(_ path: FilePath) throws(ContentError) -> [FilePath] {
        var new: [FilePath] = []
        var folder = FilePath()
        for component in path.components {
            folder.append(component)
            switch kinds[folder] {
            case .folder: continue
            case .leaf: throw duplicate(folder)
            case nil:
                try enter(folder, .folder)
                new.append(folder)
            }
        }
        return new
    }

    private mutating func enter(_ name: FilePath, _ kind: Kind) throws(ContentError) {
        guard kinds.count < limits.entries else {
            throw ContentError(
                .tooManyEntries,
                """
                The package holds more than \(limits.entries) files, folders and links. \
                Leave out what the function does not need.
                """)
        }
        kinds[name] = kind
    }

    private func unsafe(_ name: FilePath) -> ContentError {
        ContentError(
            .unsafeName,
            "The package holds the name \(name.quoted). Names must be relative to the package's root, without `..`.")
    }

    private func duplicate(_ name: FilePath) -> ContentError {
        ContentError(.duplicateName, "The package holds the name \(name.quoted) twice. Keep one of the two.")
    }

    private func tooLong(_ name: FilePath) -> ContentError {
        ContentError(
            .nameTooLong,
            """
            The package holds the name \(name.quoted), which is too long: at most \(limits.nameBytes) bytes, \
            \(limits.depth) components, 255 bytes in each. Shorten it.
            """)
    }
}

extension FilePath {
    /// For messages: in quotation marks, cut after 120 characters.
    var quoted: String {
        let text = string
        return text.count > 120 ? "\"\(text.prefix(120))…\"" : "\"\(text)\""
    }
}
