internal import ArgumentParser
internal import EngineCore

/// A length of time on the command line: `90`, `90s`, `10m`, `2h`, `1d`.
struct TimeArgument: ExpressibleByArgument {
    let seconds: Int

    var defaultValueDescription: String { "\(seconds)s" }

    init(seconds: Int) { self.seconds = seconds }

    init?(argument: String) {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        let unit = argument.last.flatMap { units[$0] }
        let digits = unit == nil ? argument[...] : argument.dropLast()
        guard let number = Int(digits), number > 0, String(number) == digits else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit ?? 1)
        guard !overflow else { return nil }
        seconds = product
    }
}

extension SubPoolID {
    /// Its path in the operator's API.
    var path: String { "/v1/pools/" + description.split(separator: "/").map { LambdaClient.component(String($0)) }.joined(separator: "/") }

    /// - Throws: `ValidationError` that says what sub-pools look like.
    static func argument(_ text: String) throws -> SubPoolID {
        guard let pool = SubPoolID(text) else {
            throw ValidationError(
                "'\(text)' is no sub-pool: general/RUNTIME/MIB, dedicated/ACCOUNT/REGION/FUNCTION:VERSION, fixed/NAME or variable/NAME, as "
                    + "`wayside pool list` shows them.")
        }
        return pool
    }
}
