internal import ArgumentParser
internal import Foundation

/// What a deployment says of which requests belong to one container. What is given replaces the whole rule; nothing given, it stays.
struct AffinitySettingsOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where a request's routing value is: header:NAME, query:NAME, body:PATH (user.id) or account. Equal values reach one "
                + "container.", valueName: "source"))
    var affinity: String?

    @Option(
        help: ArgumentHelp("Values that match it share a container, as image/*; may be repeated, the first counts.", valueName: "pattern"))
    var affinityPattern: [String] = []

    @Option(help: ArgumentHelp("Spreads the other values over so many containers by their hash.", valueName: "n"))
    var affinityBuckets: Int?

    @OptionGroup var manner: AffinityMannerOptions

    @Option(help: ArgumentHelp("The longest wait for a busy container.", valueName: "milliseconds"))
    var affinityWait: Int?

    @Flag(name: .customLong("no-affinity"), help: "Takes the rule away: any container serves any request, as a new function.")
    var clearsAffinity = false

    func validate() throws {
        let hasDetails =
            !affinityPattern.isEmpty || affinityBuckets != nil || manner.affinityMode != nil || manner.affinityBusy != nil
            || affinityWait != nil
        guard affinity != nil || !hasDetails else {
            throw ValidationError("--affinity-… say nothing alone. Give --affinity too; a rule is replaced as a whole.")
        }
        guard !clearsAffinity || affinity == nil else { throw ValidationError("--affinity and --no-affinity exclude each other.") }
    }

    /// The member `Affinity` of the member `Wayside` of the request, or `nil` when nothing of it is given.
    func member() -> Any? {
        if clearsAffinity { return NSNull() }
        guard let affinity else { return nil }
        var rule: [String: Any] = ["Source": affinity]
        if !affinityPattern.isEmpty { rule["Patterns"] = affinityPattern }
        if let affinityBuckets { rule["Buckets"] = affinityBuckets }
        if let affinityMode = manner.affinityMode { rule["Mode"] = affinityMode }
        if let affinityBusy = manner.affinityBusy { rule["Busy"] = affinityBusy }
        if let affinityWait { rule["WaitMilliseconds"] = affinityWait }
        return rule
    }
}
