internal import EngineCore
public import Logging

/// The settings of ``CommandCapacity``. Each limit has its answer: the command is killed, or its answer refused, and the last one holds.
public struct CommandCapacitySettings: Hashable, Sendable {
    /// The program's absolute path and what it is given. No shell reads them.
    public var arguments: [String]
    /// From the end of one run to the beginning of the next.
    public var interval: Duration
    /// How long one run may take.
    public var timeLimit: Duration
    /// How much one run may write, in bytes.
    public var outputBytesMax: Int
    /// How long the last offers hold while the command fails.
    public var staleAfter: Duration

    public init(
        arguments: [String], interval: Duration = .seconds(30), timeLimit: Duration = .seconds(10), outputBytesMax: Int = 65_536,
        staleAfter: Duration = .seconds(300)
    ) {
        self.arguments = arguments
        self.interval = interval
        self.timeLimit = timeLimit
        self.outputBytesMax = outputBytesMax
        self.staleAfter = staleAfter
    }
}

/// Variable capacity as an operator's own program says: asked every `interval`, it writes to its standard output what is offered
/// (``OfferDocument`` has the form).
///
/// It stands for any market or lender that a script can ask. The program runs as the node's user, in a process group of its own, with an
/// environment of a search path and `LC_ALL=C` alone, nothing to read and no descriptor of the node's. When its
/// time is over, the group is killed; what it leaves behind in the group when it ends is killed too. A program that fails, hangs or
/// writes something else changes nothing for `staleAfter`; then all it has offered is withdrawn, for memory that nobody vouches
/// for may be gone.
public struct CommandCapacity: VariableCapacityDriver {
    private let settings: CommandCapacitySettings
    private let logger: Logger

    /// - Throws: `settingsInvalid` when the path is not absolute or a limit is out of range.
    public init(settings: CommandCapacitySettings, logger: Logger = Logger(label: "wayside.capacity")) throws(VariableCapacityError)
    {
        guard let program = settings.arguments.first, program.hasPrefix("/"), settings.arguments.count <= 64,
            settings.arguments.allSatisfy({ !$0.utf8.contains(0) })
        else {
            throw VariableCapacityError(
                .settingsInvalid,
                "The command for variable capacity must begin with a program's absolute path, and be 64 words at most.")
        }
        guard settings.interval >= .milliseconds(100), settings.timeLimit >= .milliseconds(10), settings.outputBytesMax > 0,
            settings.staleAfter >= settings.interval
        else {
            throw VariableCapacityError(
                .settingsInvalid,
                "The command for variable capacity needs an interval of 100 ms or more, a time limit of 10 ms or more, an output limit, "
                    + "and offers that hold for one interval at least.")
        }
        self.settings = settings
        self.logger = logger
    }

    public var summary: String {
        "variable capacity as \(settings.arguments.first ?? "a program") says, asked every \(settings.interval)"
    }

    public func run(_ deliver: @Sendable (VariableOffer) -> Void) async {
        let command = OperatorCommand(
            arguments: settings.arguments, timeLimit: settings.timeLimit, outputBytesMax: settings.outputBytesMax)
        var keeper = OfferKeeper(staleAfter: settings.staleAfter)
        var isFailing = false
        while !Task.isCancelled {
            do throws(VariableCapacityError) {
                let output = try await command.run()
                let moment = WallMoment.now()
                let offers = try OfferDocument.offers(in: output, at: moment)
                if isFailing { logger.notice("the command for variable capacity answers again") }
                isFailing = false
                for offer in keeper.answered(offers, now: moment.instant) { deliver(offer) }
            } catch {
                guard error.code != .cancelled else { return }
                // Said once to each row of failures, for they come every `interval`.
                if !isFailing { logger.warning("the command for variable capacity: \(error.message)") }
                isFailing = true
                let withdrawn = keeper.failed(now: .now())
                if !withdrawn.isEmpty {
                    logger.warning("variable capacity is withdrawn: its command has failed for \(settings.staleAfter)")
                }
                for offer in withdrawn { deliver(offer) }
            }
            // A cancelled pause ends the loop.
            try? await Task.sleep(for: settings.interval)
        }
    }
}
