/// Why concurrency cannot be reserved or provisioned as asked for; the API has a text of its own for each.
public enum ConcurrencyRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// Reserving it would leave fewer than `minimum` to the functions that reserve none.
    case reservedLeavesTooFew(minimum: Int)
    /// Less would be reserved than is provisioned for the function's versions.
    case reservedBelowProvisioned(reserved: Int, provisioned: Int)
    /// `$LATEST` changes, so nothing can be initialised ahead for it.
    case unpublished
    /// More would be provisioned than is reserved for the function.
    case provisionedAboveReserved
    /// More would be provisioned than the account has left.
    case provisionedAboveUnreserved(Int)
    /// Provisioning it would leave fewer than `minimum` to the functions that reserve none.
    case provisionedLeavesTooFew(minimum: Int)

    public var description: String {
        switch self {
        case .reservedLeavesTooFew(let minimum), .provisionedLeavesTooFew(let minimum):
            "This would leave fewer than \(minimum) concurrent executions to the functions that reserve none. Ask for fewer, or give "
                + "back what other functions of the account reserve or have provisioned."
        case .reservedBelowProvisioned(let reserved, let provisioned):
            "\(reserved) is less than the \(provisioned) that are provisioned for versions of the function. Reserve more, or delete "
                + "provisioned concurrency first."
        case .unpublished: "Concurrency is provisioned for published versions alone. Publish a version and name its number."
        case .provisionedAboveReserved:
            "More would be provisioned than is reserved for the function. Provision less, or reserve more first."
        case .provisionedAboveUnreserved(let unreserved):
            "More would be provisioned than the \(unreserved) concurrent executions that the account has left. Ask for fewer."
        }
    }
}
