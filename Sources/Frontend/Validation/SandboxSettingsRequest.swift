import EngineCore
import FunctionCatalog

/// The member `Wayside` of CreateFunction and UpdateFunctionConfiguration, the one that is this engine's own:
/// `{"Egress": ["api.example.com:443"], "SystemCalls": ["read", …], "Affinity": {…}, "Idempotent": true, …}`. What is absent stays as
/// it is; `null` for `SystemCalls` or `Affinity` takes the profile or the rule away.
///
/// Unlike in the rest of a request an unknown member is refused: who misspells a restriction must not believe it holds.
struct SandboxSettingsRequest: Sendable {
    /// Names in a profile; as many as one message to the launcher takes.
    static let systemCallsMax = 512
    /// Characters of a system call's name.
    static let systemCallNameMax = 63

    private let egress: [String]?
    private let systemCalls: [String]?
    /// Whether an existing profile is taken away.
    private let clearsSystemCalls: Bool
    private let affinity: AffinitySettingsRequest
    private let placement: PlacementSettingsRequest
    private static let members = ["Egress", "SystemCalls", "Affinity"] + PlacementSettingsRequest.members

    /// - Throws: `InvalidParameterValueException` that names the member or the entry.
    init(_ request: RequestObject) throws(LambdaError) {
        guard request["Wayside"] != nil else {
            (egress, systemCalls, clearsSystemCalls) = (nil, nil, false)
            affinity = try AffinitySettingsRequest(nil)
            placement = try PlacementSettingsRequest(nil)
            return
        }
        guard let members = try? request.object("Wayside") else {
            throw Self.invalid("Wayside is not a structure. Give {\"Egress\": […], \"SystemCalls\": […]}.")
        }
        if let unknown = members.names.first(where: { !Self.members.contains($0) }) {
            throw Self.invalid("Wayside has no member '\(unknown.prefix(100))'. It has \(Self.members.joined(separator: ", ")).")
        }
        egress = try Self.texts(members, "Egress").map { (entries) throws(LambdaError) in try Self.checked(egress: entries) }
        systemCalls = try Self.texts(members, "SystemCalls").map { (names) throws(LambdaError) in try Self.checked(systemCalls: names) }
        clearsSystemCalls = members.isNull("SystemCalls")
        affinity = try AffinitySettingsRequest(members)
        placement = try PlacementSettingsRequest(members)
    }

    func apply(to settings: inout FunctionSettings) {
        if let egress { settings.egress = egress }
        if clearsSystemCalls || systemCalls != nil { settings.systemCalls = systemCalls }
        affinity.apply(to: &settings)
        placement.apply(to: &settings)
    }

    private static func texts(_ members: RequestObject, _ name: String) throws(LambdaError) -> [String]? {
        guard members[name] != nil else { return nil }
        guard let texts = try? members.strings(name) else { throw invalid("\(name) of Wayside is not a list of Strings.") }
        return texts
    }

    private static func checked(egress entries: [String]) throws(LambdaError) -> [String] {
        do throws(EgressPolicyError) { return try EgressPolicy(entries).entries } catch {
            throw invalid("Egress of Wayside: \(error).")
        }
    }

    /// - Returns: each name once. An empty list is no profile: a function without any system call cannot even end.
    private static func checked(systemCalls names: [String]) throws(LambdaError) -> [String] {
        guard !names.isEmpty else {
            throw invalid("SystemCalls of Wayside is empty, and no function runs without a system call. Give null for no profile.")
        }
        guard names.count <= systemCallsMax else {
            throw invalid("SystemCalls of Wayside has \(names.count) names; \(systemCallsMax) are the most.")
        }
        if let name = names.first(where: { !isSystemCall($0) }) {
            throw invalid("'\(name.prefix(100))' in SystemCalls of Wayside is no name of a system call: [a-z0-9_]{1,\(systemCallNameMax)}.")
        }
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }

    private static func isSystemCall(_ name: String) -> Bool {
        (1...systemCallNameMax).contains(name.utf8.count)
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "_") }
    }

    private static func invalid(_ message: String) -> LambdaError { LambdaError(.invalidParameterValue, message) }
}
