import Crypto
public import EngineCore
import Foundation

/// An access key at its creation: the only time its secret is shown.
public struct NewAccessKey: Sendable {
    /// `AKIA` and 16 of `A–Z2–7`, the form of AWS.
    public let id: String
    /// 40 characters of the base64 alphabet: 30 random bytes.
    public let secret: String
    public let account: AccountID

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    init(account: AccountID) {
        var generator = SystemRandomNumberGenerator()
        let digits = (0..<16).map { _ in Self.alphabet[Int.random(in: 0..<32, using: &generator)] }
        id = "AKIA" + String(decoding: digits, as: UTF8.self)
        secret = SymmetricKey(size: .init(bitCount: 240)).withUnsafeBytes { Data($0).base64EncodedString() }
        self.account = account
    }

    /// Whether a key could have this id. What fails is refused without a look at the database.
    static func isWellFormed(_ id: String) -> Bool {
        id.utf8.count == 20 && id.hasPrefix("AKIA") && id.utf8.dropFirst(4).allSatisfy(alphabet.contains)
    }
}
