import EngineCore
import Foundation
@testable import WaysideCommands

/// A busy node, as its operator API tells of it.
enum Samples {
    static let account = "123456789012"

    static func function(_ name: String) -> FunctionKey {
        guard let owner = AccountID(account) else { preconditionFailure("The sample has twelve digits.") }
        return FunctionKey(account: owner, region: "eu-central-1", name: name)
    }

    static let thumbnails = SubPoolID.dedicated(function("image-resizer-thumbnails"), .latest)

    static let subPools = [
        SubPoolReport(
            name: .variable("spot"), active: 1, memoryHeldBytes: 128 << 20, memoryLimitBytes: 4 << 30, price: 4.5,
            hits: [.warmingPool: 7], waits: [.variablePrice: 9, .cheaperPeriod: 2], waiting: 3),
        SubPoolReport(
            name: .general(runtime: "python", sizeClass: 128), floor: 1, target: 4, ceiling: 10, ready: 3, booting: 1, active: 6,
            memoryHeldBytes: 812 << 20, hits: [.loaded: 9000, .ownInstance: 600, .warmingPool: 399, .newInstance: 1],
            waits: [.shortage: 17], waiting: 2, refusals: [.noCapacity: 3]),
        SubPoolReport(
            name: .general(runtime: "node", sizeClass: 256), floor: 0, target: 1, ceiling: 4, ready: 1, active: 1,
            memoryHeldBytes: 300 << 20, hits: [.loaded: 12, .newInstance: 3], bootFailures: 3),
        SubPoolReport(
            name: thumbnails, target: 3, ready: 1, active: 2, memoryHeldBytes: 768 << 20, hits: [.loaded: 4003],
            waits: [.dedicated: 4], waiting: 1, refusals: [.rejectedByPolicy: 2]),
        SubPoolReport(
            name: .fixed("gold"), active: 2, memoryHeldBytes: 512 << 20, memoryLimitBytes: 1 << 30, isDrained: true, lentBytes: 256 << 20),
    ]

    static let pools = PoolsReport(
        memoryBytes: 4 << 30, memoryHeldBytes: 2520 << 20, instances: 16, instancesBooting: 1, instancesReady: 4, containers: 21,
        containersStarting: 1, containersIdle: 13, containersBusy: 7, waiting: 6,
        waitingByReason: [.variablePrice: 3, .shortage: 2, .dedicated: 1], subPools: subPools,
        areas: [
            AreaReport(name: "common", limitBytes: 3 << 30, heldBytes: 1880 << 20),
            AreaReport(name: "fixed/gold", limitBytes: 1 << 30, heldBytes: 512 << 20),
            AreaReport(name: "variable/spot", limitBytes: 4 << 30, heldBytes: 128 << 20),
        ],
        ledger: [
            LedgerRow(
                account: nil, subPool: subPools[1].name, use: LedgerUse(instanceSeconds: 8000.5, memoryMebibyteSeconds: 128_000)),
            LedgerRow(
                account: function("hello").account, subPool: thumbnails,
                use: LedgerUse(instanceSeconds: 81_234.5, executingSeconds: 712.12, memoryMebibyteSeconds: 9_128_000)),
        ],
        totals: LedgerUse(instanceSeconds: 89_235, executingSeconds: 712.12, memoryMebibyteSeconds: 9_256_000))

    static let instances = [
        InstanceReport(
            instance: 3, account: function("hello").account, subPool: subPools[1].name, runtime: "python", state: "active",
            memoryBytes: 256 << 20, ageSeconds: 7300,
            containers: [
                ContainerReport(
                    container: 12, instance: 3, function: function("image-resizer-thumbnails").arn, version: .published(17), state: "busy",
                    memoryBytes: 128 << 20, ageSeconds: 900, isPinned: true),
                ContainerReport(
                    container: 11, instance: 3, function: function("hello").arn, version: .latest, state: "idle", memoryBytes: 128 << 20,
                    storedBytes: 12 << 20, ageSeconds: 900, idleSeconds: 30, stickyRows: 2),
            ]),
        InstanceReport(
            instance: 5, account: nil, subPool: subPools[1].name, runtime: "python", state: "ready", memoryBytes: 16 << 20, ageSeconds: 12,
            containers: [ContainerReport(container: 14, instance: 5, state: "spare", memoryBytes: 16 << 20, ageSeconds: 12)]),
        InstanceReport(
            instance: 6, account: nil, subPool: subPools[2].name, runtime: "node", state: "booting", memoryBytes: 16 << 20,
            ageSeconds: 0.2, containers: []),
    ]

    /// - Parameter before: seconds before `now` at which it was answered.
    static func record(
        _ name: String, before: Double, now: Date, milliseconds: Double = 10, start: StartLevel? = .warm,
        decision: InvocationRecord.Decision = .run, outcome: InvocationRecord.Outcome = .success
    ) -> InvocationRecord {
        let key = function(name)
        var record = InvocationRecord(
            requestID: RequestID(), functionARN: key.arn, version: .latest, account: key.account, node: "pop-1", decision: decision,
            reason: .warm, startLevel: start, arrivalEpochSeconds: now.timeIntervalSince1970 - before - milliseconds / 1000,
            outcome: outcome, endingParty: .function, memoryLimit: .mebibytes(128), requestByteCount: 2)
        record.spans.total = milliseconds
        return record
    }

    static let now = Date(timeIntervalSince1970: 1_800_000_000)

    static func moment(functions: Int = 3) -> TopMoment {
        let records = (0..<functions).flatMap { index in
            (0...functions - index).map { record("function-\(index)", before: Double($0) / 10, now: now) }
        }
        return TopMoment(node: "pop-1", now: now, pools: pools, functions: FunctionRates(records, limit: 500, now: now))
    }
}

extension String {
    var lines: [Substring] { split(separator: "\n", omittingEmptySubsequences: false) }
    var longestLine: Int { lines.map(\.count).max() ?? 0 }
}
