import EngineCore
import HTTPTypes
import HummingbirdCore

/// What the operator changes of sub-pools (POOL-24).
extension OperatorResponder {
    /// Instances of a general sub-pool, at the most.
    static let ceilingMax = 10_000
    /// Containers that may be kept for one version of a function, at the most.
    static let reserveMax = 1000
    /// 64 TiB.
    static let mebibytesMax = 64 << 20
    /// 30 days.
    static let lendSecondsMax = 30 * 86_400
    /// Of the name of a fixed or variable sub-pool, in bytes.
    static let nameBytesMax = 64

    func capacity() throws(OperatorFailure) -> CapacityServices {
        guard let capacity = services.capacity else {
            throw OperatorFailure(.serviceUnavailable, "no_capacity_control", "This node's capacity cannot be seen or changed so.")
        }
        return capacity
    }

    /// `PUT SUB-POOL`, `POST SUB-POOL/drain`, `POST SUB-POOL/resume`, `POST SUB-POOL/lend`.
    func changePool(
        _ request: Request, _ target: RequestTarget, _ parts: ArraySlice<Substring>
    ) async throws(OperatorFailure) -> SubPoolAnswer {
        let capacity = try capacity()
        switch (request.method, parts.last) {
        case (.put, _):
            let pool = try Self.subPool(parts)
            return try await changed(pool, by: capacity.configure, try await change(of: pool, request.body), in: capacity)
        case (.post, "drain"): return try await changed(try Self.subPool(parts.dropLast()), by: capacity.drain, true, in: capacity)
        case (.post, "resume"): return try await changed(try Self.subPool(parts.dropLast()), by: capacity.drain, false, in: capacity)
        case (.post, "lend"): return try await lend(try Self.subPool(parts.dropLast()), request.body, in: capacity)
        default: throw Self.unknown(target)
        }
    }

    func reserve(_ body: RequestBody) async throws(OperatorFailure) -> SubPoolAnswer {
        let capacity = try capacity()
        let body = try await OperatorBody(body, members: ["function", "version", "account", "count"])
        guard let name = try body.text("function") else { throw body.missing("function", "its name or ARN") }
        guard let count = try body.number("count", in: 0...Self.reserveMax) else { throw body.missing("count", "0 to end what is kept") }
        let owner = try body.text("account").map { text throws(OperatorFailure) in try account(text) }
        let (key, named) = try function(named: name, qualifier: try body.text("version"), account: owner, in: capacity.catalog)
        let version = try pinned(key, named ?? .latest, in: capacity.catalog)
        return try await changed(.dedicated(key, version.version), in: capacity) { () throws(CapacityFailure) in
            try await capacity.reserve(version, count)
        }
    }

    private func lend(
        _ pool: SubPoolID, _ body: RequestBody, in capacity: CapacityServices
    ) async throws(OperatorFailure) -> SubPoolAnswer {
        guard case .fixed(let name) = pool else {
            throw OperatorFailure(
                .badRequest, "invalid_setting", "\(pool) has no memory of its own to lend. Only fixed sub-pools have: fixed/NAME.")
        }
        let body = try await OperatorBody(body, members: ["mebibytes", "seconds"])
        guard let mebibytes = try body.number("mebibytes", in: 0...Self.mebibytesMax) else {
            throw body.missing("mebibytes", "0 to recall what is lent")
        }
        let seconds = try body.number("seconds", in: 1...Self.lendSecondsMax)
        return try await changed(pool, in: capacity) { () throws(CapacityFailure) in
            try await capacity.lend(name, .mebibytes(mebibytes), seconds.map { .seconds($0) })
        }
    }

    private func change(of pool: SubPoolID, _ body: RequestBody) async throws(OperatorFailure) -> SubPoolChange {
        switch pool {
        case .general:
            let body = try await OperatorBody(body, members: ["floor", "ceiling"])
            let change = SubPoolChange(
                floor: try body.number("floor", in: 0...Self.ceilingMax), ceiling: try body.number("ceiling", in: 0...Self.ceilingMax))
            guard change != SubPoolChange() else { throw body.missing("floor", "it, or 'ceiling', or both") }
            if let floor = change.floor, let ceiling = change.ceiling, floor > ceiling {
                throw OperatorFailure(
                    .badRequest, "invalid_floor", "The floor \(floor) is above the ceiling \(ceiling). Give a floor of at most that.")
            }
            return change
        case .fixed:
            let body = try await OperatorBody(body, members: ["memoryMebibytes"])
            guard let mebibytes = try body.number("memoryMebibytes", in: 0...Self.mebibytesMax) else {
                throw body.missing("memoryMebibytes", "0 to end the sub-pool")
            }
            return SubPoolChange(memory: .mebibytes(mebibytes))
        case .dedicated:
            throw OperatorFailure(
                .badRequest, "invalid_setting", "\(pool) holds as many containers as are reserved. Change that by `wayside pool reserve`.")
        case .variable:
            throw OperatorFailure(
                .badRequest, "invalid_setting",
                "\(pool) follows the offers of the driver that the configuration names. Drain it to take nothing from it.")
        }
    }

    private func changed<Value: Sendable>(
        _ pool: SubPoolID, by change: (SubPoolID, Value) async throws(CapacityFailure) -> Void, _ value: Value,
        in capacity: CapacityServices
    ) async throws(OperatorFailure) -> SubPoolAnswer {
        try await changed(pool, in: capacity) { () throws(CapacityFailure) in try await change(pool, value) }
    }

    /// Does it, and says how the sub-pool is then. Where there is none of this name, the answer lists those that there are.
    private func changed(
        _ pool: SubPoolID, in capacity: CapacityServices, _ change: () async throws(CapacityFailure) -> Void
    ) async throws(OperatorFailure) -> SubPoolAnswer {
        do throws(CapacityFailure) {
            try await change()
        } catch {
            guard error.code == .unknownSubPool else { throw OperatorFailure(error) }
            let known = await capacity.pools().subPools.compactMap(\.name?.description).sorted()
            let list = known.isEmpty ? "There are none." : "There are: \(known.prefix(20).joined(separator: ", "))."
            throw OperatorFailure(.notFound, error.code.rawValue, "\(error.message) \(list)")
        }
        return SubPoolAnswer(changed: pool, subPool: await capacity.pools().subPools.first { $0.name == pool })
    }

    /// - Throws: 400 where the text is no sub-pool's, or one that no person would give a sub-pool.
    static func subPool(_ parts: ArraySlice<Substring>) throws(OperatorFailure) -> SubPoolID {
        let names = parts.map { PercentEncoding.decode($0) }
        let text = names.joined(separator: "/")
        let isPlain = names.allSatisfy { name in
            (1...nameBytesMax * 3).contains(name.utf8.count) && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x2f }
        }
        guard isPlain, let pool = SubPoolID(text), isName(of: pool) else {
            throw OperatorFailure(
                .badRequest, "invalid_sub_pool",
                "'\(text.prefix(100))' is no sub-pool: general/RUNTIME/MIB, dedicated/ACCOUNT/REGION/FUNCTION:VERSION, fixed/NAME or "
                    + "variable/NAME.")
        }
        return pool
    }

    /// Letters, digits, `.`, `_` and `-` for what the operator names.
    private static func isName(of pool: SubPoolID) -> Bool {
        switch pool {
        case .general(let name, _), .fixed(let name), .variable(let name):
            name.utf8.count <= nameBytesMax && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
                default: false
                }
            }
        case .dedicated: true
        }
    }
}
