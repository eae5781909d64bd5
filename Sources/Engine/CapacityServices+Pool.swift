internal import CapacityPools
internal import EngineCore
internal import Foundation
internal import Frontend
internal import FunctionCatalog

extension CapacityServices {
    /// The operator's view of a pool.
    init(_ catalog: Catalog, _ pool: ContainerPool) {
        self.init(
            catalog: catalog, pools: { pool.report() },
            configure: { (id, change) throws(CapacityFailure) in
                try Self.change { () throws(PoolError) in
                    let ends = change.memory == .zero
                    let settings = SubPoolSettings(floor: change.floor, ceiling: change.ceiling, memory: change.memory)
                    try pool.configure(id, ends ? nil : settings)
                }
            },
            drain: { (id, isDrained) throws(CapacityFailure) in
                try Self.change { () throws(PoolError) in if isDrained { try pool.drain(id) } else { try pool.resume(id) } }
            },
            lend: { (name, memory, time) throws(CapacityFailure) in
                try Self.change { () throws(PoolError) in
                    try pool.lend(from: name, memory: memory, until: time.map { EngineInstant.now() + $0 })
                }
            },
            reserve: { (version, count) throws(CapacityFailure) in pool.dedicate(version, count: count) },
            instances: { pool.inventory() },
            kill: { (target) throws(CapacityFailure) in
                switch target {
                case .instance(let number): pool.kill(instance: number)
                case .container(let number): pool.kill(container: number)
                }
            },
            pin: { pool.pin(container: $0, $1) },
            sticky: {
                let now = EngineInstant.now()
                return pool.affinityRows().map { StickyEntry($0.row, state: $0.state ?? "ending", now: now) }
            },
            removeSticky: { function, version, value in
                pool.removeAffinity(AffinityKey(AffinityScope(function: function, version: version), value)) != nil
            },
            coldStarts: { key in
                let now = EngineInstant.now()
                let epoch = Date().timeIntervalSince1970
                return pool.coldStarts(of: key).map { start in
                    let age = (now - EngineInstant(nanoseconds: start.atNanoseconds)).inSeconds
                    return ColdStartReport(
                        whenEpochSeconds: epoch - age, function: key, version: start.version, branch: start.branch, cause: start.cause,
                        details: .init(
                            endedAgoSeconds: start.goneSeconds, idleSeconds: start.idleSeconds, evictedFor: start.evictedFor,
                            busy: start.busyCount))
                }
            })
    }

    private static func change(_ body: () throws(PoolError) -> Void) throws(CapacityFailure) {
        do throws(PoolError) {
            try body()
        } catch {
            let code: CapacityFailure.Code =
                switch error.code {
                case .unknownSubPool: .unknownSubPool
                case .wrongKind, .badNumber: .invalidSetting
                case .notEnoughMemory: .notEnoughMemory
                }
            throw CapacityFailure(code, error.message)
        }
    }
}

extension StickyEntry {
    fileprivate init(_ row: AffinityRow, state: String, now: EngineInstant) {
        self.init(
            function: row.key.scope.function, version: row.key.scope.version, value: row.key.value, container: row.container.number,
            state: state, ageSeconds: (now - row.created).inSeconds, idleSeconds: (now - row.lastUsed).inSeconds, uses: row.uses)
    }
}
