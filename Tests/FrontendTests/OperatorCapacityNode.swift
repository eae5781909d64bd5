import EngineCore
import Foundation
import Frontend
import FunctionCatalog
import NIOHTTP1
import Synchronization
import Testing

/// The operator's API on a real socket, before an engine that says what it was asked and answers with what it is given.
struct OperatorCapacityNode {
    static let account = "123456789012"
    static let other = "210987654321"

    /// What the engine was told, a line each.
    final class Log: Sendable {
        private let list = Mutex<[String]>([])
        var lines: [String] { list.withLock { $0 } }
        func add(_ line: String) { list.withLock { $0.append(line) } }
    }

    let catalog: Catalog
    let log: Log
    let ask: (_ method: HTTPMethod, _ target: String, _ body: String) async throws -> OperatorSocket.Answer

    /// Serves a catalog in which one account has `one` (published once) and `both`, and another `both`.
    ///
    /// - Parameters:
    ///   - failure: what every change is answered with.
    ///   - hasCapacity: else the node shows none.
    static func with(
        failing failure: CapacityFailure? = nil, hasCapacity: Bool = true, pools: PoolsReport = Samples.pools,
        instances: [InstanceReport] = Samples.instances, sticky: [StickyEntry] = Samples.sticky,
        coldStarts: [ColdStartReport] = Samples.coldStarts, _ body: (OperatorCapacityNode) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "wayside-capacity-\(UInt32.random(in: 0 ... .max))")
        defer { try? FileManager.default.removeItem(at: folder) }
        let catalog = try Catalog(directory: folder.path)
        for (digits, names) in [(account, ["one", "both"]), (other, ["both"])] {
            let owner = try #require(AccountID(digits))
            try catalog.createAccount(owner, name: "")
            for name in names {
                _ = try catalog.create(
                    FunctionKey(account: owner, region: "eu-central-1", name: name),
                    settings: FunctionSettings(runtime: "python3.13", handler: "app.handler", role: "r"),
                    code: CodeReference(digest: try #require(ContentDigest(hex: String(repeating: "ab", count: 32))), size: ByteCount(1)),
                    tags: [:], publish: true)
            }
        }
        let log = Log()
        let table = Mutex(sticky)
        let note = { @Sendable (line: String) throws(CapacityFailure) in
            log.add(line)
            if let failure { throw failure }
        }
        let capacity = CapacityServices(
            catalog: catalog, pools: { pools },
            configure: { (pool, change) throws(CapacityFailure) in
                let floor = change.floor.map { " floor \($0)" } ?? ""
                let ceiling = change.ceiling.map { " ceiling \($0)" } ?? ""
                try note("configure \(pool)\(floor)\(ceiling)" + (change.memory.map { " memory \($0)" } ?? ""))
            },
            drain: { (pool, isDrained) throws(CapacityFailure) in try note("\(isDrained ? "drain" : "resume") \(pool)") },
            lend: { (name, memory, time) throws(CapacityFailure) in
                try note("lend \(name) \(memory) \(time.map { "\($0)" } ?? "for ever")")
            },
            reserve: { (version, count) throws(CapacityFailure) in try note("reserve \(version.key.arn) \(version.version) \(count)") },
            instances: { instances },
            kill: { (target) throws(CapacityFailure) in try note("kill \(target)") },
            pin: { number, isPinned in
                log.add("\(isPinned ? "pin" : "unpin") \(number)")
                return instances.contains { $0.containers.contains { $0.container == number } }
            },
            sticky: { table.withLock { $0 } },
            removeSticky: { key, version, value in
                table.withLock { rows in
                    let count = rows.count
                    rows.removeAll { $0.function == key && $0.version == version && $0.value == value }
                    return rows.count < count
                }
            },
            coldStarts: { key in key.name == "one" ? coldStarts : [] })
        let services = OperatorServices(
            record: { _ in nil }, newest: { _, _ in [] }, pools: { ["old": 1] }, status: { 0 }, capacity: hasCapacity ? capacity : nil)
        try await OperatorSocket.with(services) { socket in
            try await body(OperatorCapacityNode(catalog: catalog, log: log) { try await socket.ask($0, $1, $2) })
        }
    }

    /// The decoded answer of a request that is to succeed.
    func answer<Value: Decodable>(_ method: HTTPMethod, _ target: String, _ body: String = "", as _: Value.Type) async throws -> Value {
        let (status, text) = try await ask(method, target, body)
        #expect(status == 200, "\(text)")
        return try JSONDecoder().decode(Value.self, from: Data(text.utf8))
    }

    /// What the samples are made of.
    enum Samples {
        static func function(_ name: String, of digits: String = account) -> FunctionKey {
            guard let owner = AccountID(digits) else { preconditionFailure("Samples have twelve digits.") }
            return FunctionKey(account: owner, region: "eu-central-1", name: name)
        }

        static let python = SubPoolID.general(runtime: "python", sizeClass: 128)

        static let pools = PoolsReport(
            memoryBytes: 4 << 30, memoryHeldBytes: 300 << 20, instances: 3, instancesBooting: 1, instancesReady: 1, containers: 4,
            containersStarting: 1, containersIdle: 1, containersBusy: 2, waiting: 2, waitingByReason: [.variablePrice: 2],
            subPools: [
                SubPoolReport(
                    name: python, floor: 1, target: 2, ceiling: 9, ready: 1, booting: 1, active: 1, memoryHeldBytes: 300 << 20,
                    hits: [.loaded: 9, .warmingPool: 1], waits: [.shortage: 3], refusals: [.noCapacity: 1]),
                SubPoolReport(name: .fixed("gold"), memoryLimitBytes: 1 << 30, lentBytes: 1 << 28),
                SubPoolReport(name: .variable("spot"), price: 4.5, waits: [.variablePrice: 2], waiting: 2),
                SubPoolReport(name: .dedicated(function("one"), .published(1)), target: 2, ready: 1, active: 1),
            ],
            areas: [AreaReport(name: "common", limitBytes: 3 << 30, heldBytes: 300 << 20)],
            ledger: [
                LedgerRow(
                    account: function("one").account, subPool: python,
                    use: LedgerUse(instanceSeconds: 2, executingSeconds: 1, memoryMebibyteSeconds: 256))
            ],
            totals: LedgerUse(instanceSeconds: 2, executingSeconds: 1, memoryMebibyteSeconds: 256))

        static let instances = [
            InstanceReport(
                instance: 7, account: nil, subPool: python, runtime: "python", state: "ready", memoryBytes: 16 << 20, ageSeconds: 1,
                containers: [ContainerReport(container: 14, instance: 7, state: "spare", memoryBytes: 16 << 20, ageSeconds: 1)]),
            InstanceReport(
                instance: 3, account: function("one").account, subPool: python, runtime: "python", state: "active",
                memoryBytes: 256 << 20, ageSeconds: 60,
                containers: [
                    ContainerReport(
                        container: 11, instance: 3, function: function("one").arn, version: .published(1), revision: "r", state: "idle",
                        memoryBytes: 128 << 20, storedBytes: 5, ageSeconds: 50, idleSeconds: 9, stickyRows: 1),
                    ContainerReport(
                        container: 12, instance: 3, function: function("both").arn, version: .latest, state: "busy",
                        memoryBytes: 128 << 20, ageSeconds: 40),
                ]),
        ]

        static let sticky = [
            StickyEntry(
                function: function("one"), version: .latest, value: "alice", container: 11, state: "idle", ageSeconds: 50, idleSeconds: 9,
                uses: 3),
            StickyEntry(
                function: function("both", of: other), version: .published(1), value: "alice", container: 13, state: "busy",
                ageSeconds: 5, idleSeconds: 1, uses: 1),
        ]

        static let coldStarts = [
            ColdStartReport(
                whenEpochSeconds: 100, function: function("one"), version: .latest, branch: .newInstance, cause: .first),
            ColdStartReport(
                whenEpochSeconds: 200, function: function("one"), version: .published(1), requestID: RequestID(), branch: .warmingPool,
                cause: .busy, details: .init(busy: 3)),
        ]
    }
}
