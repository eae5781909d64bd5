internal import EngineCore
internal import Foundation
internal import FunctionCatalog

/// An account as programs are told of it. What has no limit is left out.
struct AccountReport: Encodable {
    struct Permission: Encodable {
        let mayGrow: Bool
        let instancesMax: Int?
        let memoryMaxMebibytes: Int?
        /// Sorted, as are ``named``.
        let subPoolKinds: [String]
        let named: [String]?
        let shortage: String
        let bid: Double?

        init(_ permission: CapacityPermission) {
            mayGrow = permission.mayGrow
            instancesMax = permission.instancesMax
            memoryMaxMebibytes = permission.memoryMax?.mebibytesRoundedUp
            subPoolKinds = permission.kinds.map(\.rawValue).sorted()
            named = permission.named?.sorted()
            shortage = permission.shortage.rawValue
            bid = permission.bid
        }
    }

    let account, name, isolation: String
    let accessKeyIDs: [String]
    let permission: Permission

    init(_ account: Account) {
        self.account = account.id.description
        name = account.name
        isolation = account.isolation.rawValue
        accessKeyIDs = account.accessKeyIDs
        permission = Permission(account.permission)
    }

    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
