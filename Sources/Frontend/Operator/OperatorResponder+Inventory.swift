import EngineCore
import HTTPTypes
import HummingbirdCore

/// What there is: instances, containers, routing values; and why something was not there.
extension OperatorResponder {
    func instances(_ target: RequestTarget) async throws(OperatorFailure) -> InstancesAnswer {
        let capacity = try capacity()
        let owner = try account(target)
        let all = await capacity.instances().filter { owner == nil || $0.account == owner }
        return InstancesAnswer(instances: all.sorted { $0.instance < $1.instance })
    }

    func instance(_ text: Substring) async throws(OperatorFailure) -> InstanceReport {
        let capacity = try capacity()
        let number = try Self.number(text, of: "instance")
        guard let instance = await capacity.instances().first(where: { $0.instance == number }) else {
            throw Self.gone("instance", number)
        }
        return instance
    }

    func killInstance(_ text: Substring) async throws(OperatorFailure) -> KillAnswer {
        let instance = try await instance(text)
        try await kill(.instance(instance.instance))
        return KillAnswer(
            instance: instance.instance, containers: instance.containers.map(\.container).sorted(),
            busy: instance.containers.count { $0.state == "busy" })
    }

    func killContainer(_ text: Substring) async throws(OperatorFailure) -> KillAnswer {
        let container = try await container(try Self.number(text, of: "container"))
        try await kill(.container(container.container))
        return KillAnswer(
            instance: container.instance, containers: [container.container], busy: container.state == "busy" ? 1 : 0)
    }

    func pin(_ text: Substring, _ isPinned: Bool) async throws(OperatorFailure) -> ContainerReport {
        let capacity = try capacity()
        let number = try Self.number(text, of: "container")
        guard await capacity.pin(number, isPinned) else { throw Self.gone("container", number) }
        return try await container(number)
    }

    private func container(_ number: UInt64) async throws(OperatorFailure) -> ContainerReport {
        let capacity = try capacity()
        guard let container = await capacity.instances().flatMap(\.containers).first(where: { $0.container == number }) else {
            throw Self.gone("container", number)
        }
        return container
    }

    private func kill(_ target: CapacityServices.KillTarget) async throws(OperatorFailure) {
        let capacity = try capacity()
        do throws(CapacityFailure) { try await capacity.kill(target) } catch { throw OperatorFailure(error) }
    }

    /// O(rows), and sorting them.
    func sticky(_ target: RequestTarget) async throws(OperatorFailure) -> StickyAnswer {
        let capacity = try capacity()
        let count = try limit(target, default: Self.recordsMax)
        let filter = RecordFilter(function: target.parameter("function"), account: try account(target)?.description)
        let rows = await capacity.sticky().filter {
            filter.includes(account: $0.function.account, arn: $0.function.arn, version: $0.version)
        }
        let newest = rows.sorted { ($0.idleSeconds, $0.value) < ($1.idleSeconds, $1.value) }.prefix(count)
        return StickyAnswer(rows: newest.map { StickyRow($0) }, total: rows.count)
    }

    /// O(rows).
    func removeSticky(_ text: Substring) async throws(OperatorFailure) -> StickyRow {
        let capacity = try capacity()
        guard text.utf8.count == 16, text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else {
            throw OperatorFailure(
                .badRequest, "invalid_row", "'\(text.prefix(100))' is no row: 16 hexadecimal digits, as `wayside sticky list` shows them.")
        }
        guard let entry = await capacity.sticky().first(where: { $0.id == text }),
            await capacity.removeSticky(entry.function, entry.version, entry.value)
        else {
            throw OperatorFailure(
                .notFound, "not_found", "There is no row \(text): it was removed, or its container is no more. See `wayside sticky list`.")
        }
        return StickyRow(entry)
    }

    func coldStarts(_ target: RequestTarget) async throws(OperatorFailure) -> ColdStartsAnswer {
        let capacity = try capacity()
        let (key, version) = try function(
            named: target.parameter("function") ?? "", qualifier: target.parameter("qualifier"), account: try account(target),
            in: capacity.catalog)
        let all = await capacity.coldStarts(key).filter { version == nil || $0.version == version }
        return ColdStartsAnswer(
            function: key.arn(qualifier: version?.description), coldStarts: all.sorted { $0.whenEpochSeconds > $1.whenEpochSeconds })
    }

    private static func number(_ text: Substring, of what: String) throws(OperatorFailure) -> UInt64 {
        guard let number = UInt64(text), String(number) == text else {
            throw OperatorFailure(.badRequest, "invalid_\(what)", "'\(text.prefix(100))' is no \(what): give its number.")
        }
        return number
    }

    private static func gone(_ what: String, _ number: UInt64) -> OperatorFailure {
        OperatorFailure(
            .notFound, "not_found", "There is no \(what) \(number): it has ended, or never was. See `wayside \(what) list`.")
    }
}
