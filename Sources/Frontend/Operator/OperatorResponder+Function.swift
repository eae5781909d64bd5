import EngineCore
import FunctionCatalog
import HTTPTypes

/// Finds the function that an operator means by a name, an ARN, or a name and an account.
extension OperatorResponder {
    /// - Parameters:
    ///   - text: a name or an ARN, with or without a version.
    ///   - qualifier: a version, if the text has none.
    /// - Returns: the function and the version that was named, if one was.
    /// - Throws: 400 for what is no name, 404 where there is none, 409 where several have it.
    func function(
        named text: String, qualifier: String?, account: AccountID?, in catalog: Catalog
    ) throws(OperatorFailure) -> (FunctionKey, FunctionVersion?) {
        let reference: FunctionReference
        do throws(LambdaError) {
            reference = try FunctionReference(text, queryQualifier: qualifier)
        } catch {
            throw OperatorFailure(.badRequest, "invalid_function", error.message)
        }
        let owner = account ?? reference.account
        let keys = try reading { () throws(CatalogError) in
            try catalog.keys(named: reference.name, account: owner, region: reference.region)
        }
        guard keys.count < 2 else {
            throw OperatorFailure(
                .conflict, "function_ambiguous",
                "\(keys.count) functions are named '\(reference.name)'. Give the account, or one of the ARNs: "
                    + keys.prefix(5).map(\.arn).joined(separator: ", "))
        }
        let version = reference.qualifier.map { FunctionVersion($0) }
        // A qualifier that is no version is an alias, and of these there are none.
        guard let key = keys.first, version != .some(nil) else {
            let name = reference.name + (reference.qualifier.map { ":\($0)" } ?? "")
            let of = owner.map { " of account \($0)" } ?? ""
            throw OperatorFailure(.notFound, "function_not_found", "There is no function '\(name)'\(of) on this node.")
        }
        return (key, version ?? nil)
    }

    /// - Throws: 404 where the version does not exist.
    func pinned(_ key: FunctionKey, _ version: FunctionVersion, in catalog: Catalog) throws(OperatorFailure) -> PinnedVersion {
        try reading { () throws(CatalogError) in try catalog.pinned(key, version) }
    }

    private func reading<Value>(_ work: () throws(CatalogError) -> Value) throws(OperatorFailure) -> Value {
        do throws(CatalogError) { return try work() } catch { throw OperatorFailure(error) }
    }

    /// The parameter `account`, if it is there.
    func account(_ target: RequestTarget) throws(OperatorFailure) -> AccountID? {
        try target.parameter("account").map { text throws(OperatorFailure) in try account(text) }
    }

    func account(_ text: String) throws(OperatorFailure) -> AccountID {
        guard let account = AccountID(text) else {
            throw OperatorFailure(.badRequest, "invalid_account", "'\(text)' is no account: 12 digits.")
        }
        return account
    }
}
