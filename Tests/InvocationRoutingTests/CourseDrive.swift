import EngineCore
@testable import InvocationRouting
import NIOCore
import Placement
@testable import RegionForwarding
import Testing

/// A call's course as the router drives it, by the real policy, at a node and before regions that answer as the test says.
struct CourseDrive {
    enum Ending {
        case answered(InvocationCourse.Step)
        case failed(InvocationError)
        case refused(InvocationError)
    }

    /// More steps than any course may have.
    static let stepsMax = 32

    var course: InvocationCourse
    var regions = ["near", "far"]
    /// Of the regions, those that can be reached.
    var reachable = ["near", "far"]
    var hasWarm = false
    var freeSlots = 8
    var now: EngineInstant
    /// What was asked to run it, in order.
    private(set) var asked: [InvocationCourse.Step] = []
    private let policy: PlacementPolicy

    init(isIdempotent: Bool = false, worth: Worth = .start, results: ResultStream? = nil) throws {
        policy = PlacementPolicy(
            configuration: try PlacementConfiguration(policy: .market, largestFunctionMemory: .mebibytes(512)))
        now = EngineInstant(nanoseconds: 1_000_000_000)
        let account = try #require(AccountID("123456789012"))
        let digest = try #require(ContentDigest(hex: String(repeating: "ab", count: 32)))
        let version = PinnedVersion(
            key: FunctionKey(account: account, region: "eu-central-1", name: "hello"), version: .published(1), revision: "r",
            runtime: "python3.13", handler: "app.handler", memory: .mebibytes(128), temporaryStorage: .mebibytes(512),
            timeout: .seconds(3), environment: [:], codeDigest: digest, codeSize: ByteCount(1),
            placement: PlacementRule(isIdempotent: isIdempotent))
        let request = InvocationRequest(
            id: RequestID(), function: version, invokedARN: version.arn, payload: ByteBuffer(string: "{}"), clientContext: nil,
            traceID: "Root=1-2-3", arrival: now, deadline: now + .seconds(18), origin: .client, results: results)
        course = InvocationCourse(request, node: "pop-1")
        course.weighed = InvocationRouter.Weighed(
            worth: worth,
            basis: PlacementBasis(
                policy: .market, isFrequent: worth != .uncommon, memory: version.memory, freeMemory: .mebibytes(1024), freeSlots: 8,
                isCodeHere: true))
        course.record.placement = course.weighed?.basis
    }

    /// What is to be done next.
    mutating func next() -> InvocationCourse.Turn {
        for _ in 0..<Self.stepsMax {
            let left = reachable.filter { !course.excluded.contains($0) }
            course.selection = RegionSelection(
                region: left.first, suppliesIfMissing: false, choice: RegionChoice(basis: .distance, scores: []), reachable: reachable,
                declined: course.excluded)
            let isFull = course.isFull
            let decision = policy.decide(
                PlacementInputs(
                    role: .pop, origin: .client, hasWarmContainer: !isFull && hasWarm, worth: course.weighed?.worth ?? .uncommon,
                    isCodeHere: course.weighed?.basis?.isCodeHere ?? true, functionMemory: course.request.function.memory,
                    freeMemory: isFull ? .zero : .mebibytes(1024), freeSlots: isFull ? 0 : freeSlots, hasRegions: !regions.isEmpty,
                    reachableRegions: reachable, excludedRegions: course.excluded))
            let turn = course.take(decision, mayLeave: decision.reason == .warm && !left.isEmpty, now: now)
            if turn != .decideAnew { return turn }
        }
        return .decideAnew
    }

    /// Goes on to its end.
    /// - Parameter answer: what a step comes to; `nil`: a result.
    mutating func run(_ answer: (InvocationCourse.Step) -> InvocationError?) -> Ending? {
        while asked.count < Self.stepsMax {
            switch next() {
            case .decideAnew: return nil
            case .refuse(let reason): return .refused(course.error(of: reason))
            case .step(let step):
                asked.append(step)
                guard let error = answer(step) else { return .answered(step) }
                if !settle(error, after: step) { return .failed(error) }
            }
        }
        return nil
    }

    mutating func settle(_ error: InvocationError, after step: InvocationCourse.Step, isCancelled: Bool = false) -> Bool {
        now = now + .milliseconds(5)
        return course.settle(error, after: step, node: "pop-1", isCancelled: isCancelled, now: now)
    }

    /// Takes note of a step that somebody else answers.
    mutating func note(_ step: InvocationCourse.Step) { asked.append(step) }
}

extension InvocationError {
    static func test(_ code: Code, _ stage: ForwardStage? = nil) -> InvocationError {
        InvocationError(code, "As the test says.", stage: stage)
    }
}
