internal import ArgumentParser
internal import NIOHTTP1

/// Which container a call is to reach, as its caller says.
struct ContainerChoiceOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Reaches the container that served this routing value before.", valueName: "value"))
    var affinity: String?

    @Option(help: ArgumentHelp("Reaches the container that an earlier call was told this token of.", valueName: "token"))
    var token: String?

    @OptionGroup var manner: AffinityMannerOptions

    /// What the request carries of it, by lower-case names.
    var headers: [(String, String)] {
        let all = [
            ("wayside-affinity", affinity), ("wayside-container", token), ("wayside-affinity-mode", manner.affinityMode),
            ("wayside-affinity-busy", manner.affinityBusy),
        ]
        return all.compactMap { name, value in value.map { (name, $0) } }
    }

    /// Tells the person what became of it, where something was chosen.
    func tell(_ answer: HTTPHeaders) {
        guard affinity != nil || token != nil, let result = answer.first(name: "wayside-affinity-result") else { return }
        let remarks = [
            answer.first(name: "wayside-affinity-overflow") == "true" ? "its container was busy" : nil,
            answer.first(name: "wayside-affinity-token") == "void" ? "the token was void" : nil,
        ]
        Terminal.note("affinity: \(result)" + remarks.compactMap { $0.map { ", \($0)" } }.joined())
        if let token = answer.first(name: "wayside-container") { Terminal.note("token: \(token)") }
    }
}
