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
    /// AWS has no such limit of an account's, so the words are our own.
    private static let notPermitted = "The account may not be given more capacity on this node. Ask its operator."

    /// How far the containers of a version have come.
    init(_ key: FunctionKey, _ version: FunctionVersion, _ pool: ContainerPool) {
        guard let state = pool.dedicated(key, version) else {
            self = .inProgress
            return
        }
        let isReady = state.allocated >= state.target
        let failure = isReady ? nil : state.isHeldByPermission ? Self.notPermitted : pool.dedicatedFailure(key, version)
        self.init(
            available: state.ready, allocated: state.allocated, state: isReady ? .ready : failure == nil ? .inProgress : .failed,
            reason: failure)
    }
}
