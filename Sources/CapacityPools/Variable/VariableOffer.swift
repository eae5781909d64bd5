public import EngineCore

/// What is offered of one variable sub-pool from now on, until another offer of the same name.
public struct VariableOffer: Hashable, Sendable {
    /// The sub-pool is `variable/NAME`.
    public let name: String
    /// For a GiB-hour, in whatever currency the operator and the accounts' bids agree on. Means nothing when there is no memory.
    public let price: Double
    /// 0: there is none any more.
    public let memory: ByteCount
    /// What is expected of the price; not promised.
    public let forecast: [PricePeriod]

    public init(name: String, price: Double, memory: ByteCount, forecast: [PricePeriod] = []) {
        self.name = name
        self.price = price
        self.memory = memory
        self.forecast = forecast
    }

    /// The longest list of names and of periods that a driver may offer. More is refused.
    static let namesMax = 16
    static let periodsMax = 96
    private static let nameLengthMax = 64

    /// Whether `name` can stand in ``SubPoolID``, in a table and in a metric.
    public static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= nameLengthMax
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }

    /// Whether `price` can be compared with bids.
    static func isPrice(_ price: Double) -> Bool { price.isFinite && price >= 0 && price <= 1e9 }
}

/// A time for which a price is forecast, its end excluded.
public struct PricePeriod: Hashable, Sendable {
    public let from: EngineInstant
    public let to: EngineInstant
    /// For a GiB-hour.
    public let price: Double

    public init(from: EngineInstant, to: EngineInstant, price: Double) {
        self.from = from
        self.to = to
        self.price = price
    }
}
