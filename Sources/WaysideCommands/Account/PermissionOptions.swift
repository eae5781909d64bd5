internal import ArgumentParser
internal import EngineCore

/// What an operator says of an account's permission. What is not given stays as it is.
struct PermissionOptions: ParsableArguments {
    @Flag(inversion: .prefixedNo, help: "Whether capacity may be added for it.")
    var mayGrow: Bool?

    @Option(help: ArgumentHelp("Instances at one time.", valueName: "number|none"), transform: Self.count)
    var instancesMax: Limit<Int>?

    @Option(help: ArgumentHelp("Memory of its containers together, in MiB.", valueName: "MiB|none"), transform: Self.mebibytes)
    var memoryMax: Limit<ByteCount>?

    @Option(
        help: ArgumentHelp(
            "What it may take from, with commas: general, fixed:NAME, variable (all it bids for), variable:NAME; or none.",
            valueName: "list"), transform: Self.subPools)
    var subPools: SubPools?

    @Option(
        help: ArgumentHelp("What a call does when the function's dedicated containers are busy.", valueName: "spill|wait|reject"),
        transform: Self.shortage)
    var shortage: CapacityPermission.Shortage?

    @Option(help: ArgumentHelp("The most it pays for a GiB-hour of variable capacity.", valueName: "price|none"), transform: Self.price)
    var bid: Limit<Double>?

    var isEmpty: Bool {
        mayGrow == nil && instancesMax == nil && memoryMax == nil && subPools == nil && shortage == nil && bid == nil
    }

    func apply(to permission: inout CapacityPermission) {
        if let mayGrow { permission.mayGrow = mayGrow }
        if let instancesMax { permission.instancesMax = instancesMax.value }
        if let memoryMax { permission.memoryMax = memoryMax.value }
        if let subPools { (permission.kinds, permission.named) = (subPools.kinds, subPools.named) }
        if let shortage { permission.shortage = shortage }
        if let bid { permission.bid = bid.value }
    }
}

extension PermissionOptions {
    /// A number, or `none`, which is something else than not to be given.
    struct Limit<Value: Sendable>: Sendable {
        let value: Value?
    }

    struct SubPools: Hashable, Sendable {
        var kinds: Set<SubPoolID.Kind> = []
        var named: Set<String>?
    }

    /// A mebibyte count beyond this is a slip: an exbibyte.
    private static let mebibytesMax = 1 << 40

    @Sendable
    private static func count(_ text: String) throws -> Limit<Int> {
        try limit(text, "Give a number of instances, or none.") { Int($0).flatMap { $0 >= 0 ? $0 : nil } }
    }

    @Sendable
    private static func mebibytes(_ text: String) throws -> Limit<ByteCount> {
        try limit(text, "Give a number of MiB, or none.") {
            Int($0).flatMap { (0...mebibytesMax).contains($0) ? ByteCount.mebibytes($0) : nil }
        }
    }

    @Sendable
    private static func price(_ text: String) throws -> Limit<Double> {
        try limit(text, "Give a price of 0 or more, or none.") { Double($0).flatMap { $0 >= 0 && $0.isFinite ? $0 : nil } }
    }

    private static func limit<Value>(_ text: String, _ advice: String, _ parse: (String) -> Value?) throws -> Limit<Value> {
        if text == "none" { return Limit(value: nil) }
        guard let value = parse(text) else { throw ValidationError(advice) }
        return Limit(value: value)
    }

    @Sendable
    private static func shortage(_ text: String) throws -> CapacityPermission.Shortage {
        guard let shortage = CapacityPermission.Shortage(rawValue: text) else { throw ValidationError("Give spill, wait or reject.") }
        return shortage
    }

    /// `general,fixed:gold,variable:spot`; `/` is taken for `:`, since that is how sub-pools are shown.
    @Sendable
    static func subPools(_ text: String) throws -> SubPools {
        guard text != "none" else { return SubPools() }
        var (kinds, names): (Set<SubPoolID.Kind>, Set<String>) = ([], [])
        var takesEveryVariable = false
        for entry in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = entry.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == ":" || $0 == "/" }
            switch (parts.first.flatMap { SubPoolID.Kind(rawValue: String($0)) }, parts.dropFirst().first) {
            case (.general, nil): kinds.insert(.general)
            case (.general, _?): throw ValidationError("'\(entry)': general sub-pools go by runtime and size; give general alone.")
            case (.fixed, nil): throw ValidationError("A fixed sub-pool is named: give fixed:NAME. `wayside pool list` shows them.")
            case (.variable, nil):
                kinds.insert(.variable)
                takesEveryVariable = true
            case (let kind?, let name?) where kind != .dedicated && !name.isEmpty:
                kinds.insert(kind)
                names.insert(String(name))
            case (.dedicated, _): throw ValidationError("Dedicated sub-pools are the account's own anyway; leave them out.")
            default: throw ValidationError("'\(entry)' is no sub-pool. Give general, fixed:NAME, variable or variable:NAME, or none.")
            }
        }
        guard !takesEveryVariable || names.isEmpty else {
            throw ValidationError("With named sub-pools, name the variable ones, too: variable:NAME instead of variable.")
        }
        return SubPools(kinds: kinds, named: names.isEmpty ? nil : names)
    }
}
