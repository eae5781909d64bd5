internal import ArgumentParser

/// What becomes of a call that cannot have its container: of every call that a function's rule sends to one, or of one call instead.
struct AffinityMannerOptions: ParsableArguments {
    @Option(help: ArgumentHelp("prefer: another container if need be, and word of it. require: an error.", valueName: "mode"))
    var affinityMode: String?

    @Option(help: ArgumentHelp("What a call does while the container serves another: wait, overflow or reject.", valueName: "policy"))
    var affinityBusy: String?
}
