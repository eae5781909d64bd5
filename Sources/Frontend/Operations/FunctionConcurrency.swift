import EngineCore
import FunctionCatalog

/// Reserved concurrency: how many calls of a function run at one time, at most, and surely.
extension LambdaResponder {
    /// PutFunctionConcurrency. 0 stops the function.
    func putFunctionConcurrency(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        try await blocking.run { [self] () throws(LambdaError) in
            let key = try call.unqualifiedKey()
            let count = try RequestObject(call.body).integer("ReservedConcurrentExecutions")
            guard let count else { throw .missing("reservedConcurrentExecutions") }
            var validator = ConstraintValidator()
            validator.value(count, at: "reservedConcurrentExecutions", in: 0...Int.max)
            try validator.finish()
            try reading(key) { (catalog) throws(CatalogError) in try catalog.setReservedConcurrency(count, of: key) }
            return .json { $0.member("ReservedConcurrentExecutions", count) }
        }
    }

    /// GetFunctionConcurrency: an empty object when nothing is reserved.
    func getFunctionConcurrency(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        try await blocking.run { [self] () throws(LambdaError) in
            let key = try call.unqualifiedKey()
            let count = try reading(key) { (catalog) throws(CatalogError) in
                _ = try catalog.pinned(key, .latest)
                return catalog.reservedConcurrency(of: key)
            }
            return .json { $0.member("ReservedConcurrentExecutions", count) }
        }
    }

    /// DeleteFunctionConcurrency, also when nothing is reserved.
    func deleteFunctionConcurrency(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        try await blocking.run { [self] () throws(LambdaError) in
            let key = try call.unqualifiedKey()
            try reading(key) { (catalog) throws(CatalogError) in try catalog.setReservedConcurrency(nil, of: key) }
            return .noContent
        }
    }
}
