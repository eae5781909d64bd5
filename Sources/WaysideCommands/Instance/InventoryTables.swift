internal import EngineCore

/// The tables of what there is (STICK-01): container → instance → account → function version → state.
enum InventoryTables {
    static func instances(_ instances: [InstanceReport]) -> Table {
        var table = Table(columns: [
            .init("INSTANCE", importance: 10), .init("ACCOUNT", importance: 9), .init("STATE", importance: 9),
            .init("SUB-POOL", importance: 6, shortest: 16), .init("RUNTIME", importance: 4), .init("MEMORY", importance: 7),
            .init("AGE", importance: 5), .init("CONTAINERS", importance: 8, shortest: 16),
        ])
        table.rows = instances.sorted { $0.instance < $1.instance }.map { instance in
            [
                "\(instance.instance)", instance.account?.description ?? "-", instance.state, instance.subPool?.description ?? "-",
                instance.runtime ?? "-", Units.size(instance.memoryBytes), Units.time(instance.ageSeconds), states(instance.containers),
            ]
        }
        return table
    }

    static func containers(_ instances: [InstanceReport]) -> Table {
        var table = Table(columns: [
            .init("CONTAINER", importance: 10), .init("INSTANCE", importance: 9), .init("ACCOUNT", importance: 9),
            .init("FUNCTION", importance: 9, shortest: 12), .init("VERSION", importance: 9), .init("STATE", importance: 9),
            .init("IDLE", importance: 6), .init("MEMORY", importance: 5), .init("STORED", importance: 4),
            .init("VALUES", importance: 5), .init("AGE", importance: 3), .init("SUB-POOL", importance: 2, shortest: 20),
            .init("NOTES", importance: 2),
        ])
        let pairs = instances.flatMap { instance in instance.containers.map { (instance, $0) } }
        table.rows = pairs.sorted { $0.1.container < $1.1.container }.map { instance, container in
            let notes = [container.isDedicated ? "dedicated" : nil, container.isPinned ? "pinned" : nil].compactMap { $0 }
            return [
                "\(container.container)", "\(container.instance)", instance.account?.description ?? "-",
                container.function.map(name) ?? "-", container.version?.description ?? "-", container.state,
                container.idleSeconds.map(Units.time) ?? "-", Units.size(container.memoryBytes), Units.size(container.storedBytes),
                "\(container.stickyRows)", Units.time(container.ageSeconds), instance.subPool?.description ?? "-",
                notes.joined(separator: ", "),
            ]
        }
        return table
    }

    /// The last part of an ARN without a version.
    static func name(_ arn: String) -> String { String(arn.split(separator: ":").last ?? "") }

    /// `2 busy, 1 idle`
    private static func states(_ containers: [ContainerReport]) -> String {
        let counts = Dictionary(grouping: containers, by: \.state).mapValues(\.count)
        guard !counts.isEmpty else { return "none" }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
    }
}
