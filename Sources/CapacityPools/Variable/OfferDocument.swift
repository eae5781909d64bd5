internal import EngineCore
internal import Foundation

/// What an operator's command writes:
///
/// ```json
/// {"offers": [{"name": "spot", "memoryMebibytes": 4096, "pricePerGibibyteHour": 0.5,
///              "forecast": [{"from": 1767225600, "to": 1767250800, "pricePerGibibyteHour": 0.2}]}]}
/// ```
///
/// Times are seconds since 1970. `forecast` may be left out. An answer is taken as a whole or not at all.
struct OfferDocument: Decodable {
    struct Offer: Decodable {
        let name: String
        let memoryMebibytes: Int
        let pricePerGibibyteHour: Double
        let forecast: [Period]?
    }

    struct Period: Decodable {
        let from: Int64
        let to: Int64
        let pricePerGibibyteHour: Double
    }

    let offers: [Offer]

    fileprivate static let mebibytesMax = 1 << 30

    /// - Throws: `answerInvalid` with what is wrong.
    static func offers(in bytes: [UInt8], at moment: WallMoment) throws(VariableCapacityError) -> [VariableOffer] {
        let document: OfferDocument
        do {
            document = try JSONDecoder().decode(OfferDocument.self, from: Data(bytes))
        } catch {
            throw refusal(
                "it is no such document as {\"offers\": [{\"name\": …, \"memoryMebibytes\": …, \"pricePerGibibyteHour\": …}]}")
        }
        guard document.offers.count <= VariableOffer.namesMax, Set(document.offers.map(\.name)).count == document.offers.count
        else {
            throw refusal("it must offer at most \(VariableOffer.namesMax) sub-pools, each once")
        }
        var offers: [VariableOffer] = []
        for offer in document.offers { offers.append(try offer.checked(at: moment)) }
        return offers
    }

    fileprivate static func refusal(_ reason: String) -> VariableCapacityError {
        VariableCapacityError(.answerInvalid, "The command's answer cannot be used: \(reason).")
    }
}

extension OfferDocument.Offer {
    fileprivate func checked(at moment: WallMoment) throws(VariableCapacityError) -> VariableOffer {
        guard VariableOffer.isName(name) else {
            throw OfferDocument.refusal("a name must be up to 64 letters, digits, '-', '_' and '.'")
        }
        guard (0...OfferDocument.mebibytesMax).contains(memoryMebibytes), VariableOffer.isPrice(pricePerGibibyteHour) else {
            throw OfferDocument.refusal("memory or price of \(name) is out of range")
        }
        let periods = forecast ?? []
        guard periods.count <= VariableOffer.periodsMax,
            periods.allSatisfy({
                0 <= $0.from && $0.from < $0.to && $0.to < 1 << 40 && VariableOffer.isPrice($0.pricePerGibibyteHour)
            }),
            zip(periods, periods.dropFirst()).allSatisfy({ $0.to <= $1.from })
        else {
            throw OfferDocument.refusal(
                "the forecast of \(name) must be at most \(VariableOffer.periodsMax) periods in order of time, in seconds since 1970"
            )
        }
        let reached = periods.map { period in
            PricePeriod(
                from: moment.instant(atEpochMilliseconds: period.from * 1000),
                to: moment.instant(atEpochMilliseconds: period.to * 1000),
                price: period.pricePerGibibyteHour)
        }
        return VariableOffer(
            name: name, price: pricePerGibibyteHour, memory: .mebibytes(memoryMebibytes),
            forecast: reached.filter { $0.from < $0.to })
    }
}
