internal import CapacityPools
internal import EngineCore
internal import Frontend
internal import FunctionCatalog

extension ContainerPool {
    /// Keeps what owners have provisioned.
    func dedicate(_ targets: [ProvisionedTarget]) {
        for target in targets {
            if target.count > 0 { dedicate(target.pinned, count: target.count) } else { release(target.pinned.key, target.pinned.version) }
        }
    }
}

extension ProvisionedStatus {
    /// How far the containers of a version have come.
    init(_ key: FunctionKey, _ version: FunctionVersion, _ pool: ContainerPool) {
        guard let state = pool.dedicated(key, version) else {
            self = .inProgress
            return
        }
        let failure = pool.dedicatedFailure(key, version)
        self.init(
            available: state.ready, allocated: state.allocated,
            state: state.allocated >= state.target ? .ready : failure == nil ? .inProgress : .failed,
            reason: state.allocated >= state.target ? nil : failure)
    }
}
