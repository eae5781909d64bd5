import EngineCore
@testable import InvocationRouting
import Placement
import Testing

struct InvocationCourseTests {
    private static let here = InvocationCourse.Step.run(isAnnounced: false, isWarmOnly: false)

    /// Codes by which it is certain that no handler has begun.
    private static let notStarted: Set<InvocationError.Code> = [
        .overloaded, .rejectedByPolicy, .noPermission, .reservedConcurrency, .variableCapacity, .affinity, .hopLimit, .draining,
        .versionNotHeld, .codeUnavailable, .codeNotCurrent, .startFailed, .noRegion,
    ]

    @Test(arguments: InvocationError.Code.allCases)
    func `PLACE-17 after a region's failure a call goes elsewhere only if it surely did not start or is idempotent`(
        code: InvocationError.Code
    ) throws {
        for isIdempotent in [false, true] {
            for isCancelled in [false, true] {
                for isLate in [false, true] {
                    var drive = try CourseDrive(isIdempotent: isIdempotent)
                    if isLate { drive.now = drive.course.request.deadline }
                    let goesOn = drive.settle(.test(code), after: .forward(region: "near"), isCancelled: isCancelled)
                    let mayRepeat = isIdempotent && !isLate && (code == .regionFailed || code == .launcherLost)
                    #expect(goesOn == (!isCancelled && (Self.notStarted.contains(code) || mayRepeat)))
                    #expect(drive.course.excluded == (goesOn ? ["near"] : []))
                    // That a client has gone is no failure of the region's.
                    #expect((drive.course.record.tries ?? []).map(\.node) == (code == .aborted ? [] : ["near"]))
                }
            }
        }
    }

    @Test(arguments: InvocationError.Code.allCases)
    func `PLACE-17 a call whose result has begun to reach its caller is not tried again, whatever failed`(
        code: InvocationError.Code
    ) throws {
        let results = ResultStream(bytesMax: nil)
        results.begin(contentType: nil)
        var drive = try CourseDrive(isIdempotent: true, results: results)
        let goesOn = drive.settle(.test(code), after: .forward(region: "near"))
        #expect(!goesOn)
    }

    @Test(arguments: InvocationError.Code.allCases)
    func `PLACE-17 after a failure here a call is decided anew only for want of a place, a start or the code`(
        code: InvocationError.Code
    ) throws {
        for isIdempotent in [false, true] {
            var drive = try CourseDrive(isIdempotent: isIdempotent)
            let goesOn = drive.settle(.test(code), after: Self.here)
            #expect(goesOn == [.overloaded, .noPermission, .startFailed, .codeUnavailable].contains(code))
            #expect(drive.course.record.tries?.map(\.node) == (goesOn ? ["pop-1"] : nil))
            // The second time the same failure says nothing new, but for a start.
            let goesOnAgain = drive.settle(.test(code), after: Self.here)
            #expect(goesOnAgain == (code == .startFailed))
        }
    }

    @Test func `a start that fails is made again twice, and not for a client that has gone`() throws {
        var drive = try CourseDrive()
        let ending = drive.run { _ in .test(.startFailed) }
        guard case .failed(let error) = ending else { return #expect(Bool(false), "\(String(describing: ending))") }
        #expect(error.code == .startFailed)
        let again = InvocationCourse.Step.run(isAnnounced: true, isWarmOnly: false)
        #expect(drive.asked == [Self.here, again, again])
        #expect(drive.course.record.tries?.count == 2)
        var gone = try CourseDrive()
        let goesOn = gone.settle(.test(.startFailed), after: Self.here, isCancelled: true)
        #expect(!goesOn)
    }

    @Test func `PLACE-05 a call whose idle container was taken looks for a region, and waits here when none takes it`() throws {
        var drive = try CourseDrive(worth: .noRoom)
        (drive.hasWarm, drive.freeSlots) = (true, 0)
        let ending = drive.run { step in
            if case .run(_, false) = step { nil } else { .test(.overloaded, .beforeSend) }
        }
        guard case .answered(let last) = ending else { return #expect(Bool(false), "\(String(describing: ending))") }
        #expect(last == .run(isAnnounced: true, isWarmOnly: false))
        #expect(
            drive.asked == [
                .run(isAnnounced: false, isWarmOnly: true), .forward(region: "near"), .forward(region: "far"), last,
            ])
        #expect(drive.course.record.tries?.map(\.node) == ["pop-1", "near", "far"])
        #expect(drive.course.record.reason == .warm)
    }

    @Test func `PLACE-16 when everybody refuses the caller hears what this node said`() throws {
        var drive = try CourseDrive()
        let said = InvocationError(.noPermission, "The account may hold no more.")
        let ending = drive.run { step in
            if case .run = step { said } else { .test(.overloaded, .beforeStart) }
        }
        guard case .refused(let error) = ending else { return #expect(Bool(false), "\(String(describing: ending))") }
        #expect(error == said)
        #expect(drive.asked == [Self.here, .forward(region: "near"), .forward(region: "far")])
        #expect(drive.course.record.decision == .refuse)
    }

    @Test func `PLACE-22 with no region in reach and nothing free the answer is that no region can be reached`() throws {
        var drive = try CourseDrive(worth: .noRoom)
        (drive.reachable, drive.freeSlots) = ([], 0)
        let ending = drive.run { _ in nil }
        guard case .refused(let error) = ending else { return #expect(Bool(false), "\(String(describing: ending))") }
        #expect(error.code == .noRegion)
        #expect(drive.asked.isEmpty)
    }

    @Test func `PLACE-09 code that is gone sends the call to a region, and nobody runs it here then`() throws {
        var drive = try CourseDrive()
        let ending = drive.run { step in
            if case .run = step { .test(.codeUnavailable) } else { .test(.draining, .beforeStart) }
        }
        guard case .refused(let error) = ending else { return #expect(Bool(false), "\(String(describing: ending))") }
        #expect(error.code == .codeNotCurrent)
        #expect(drive.asked == [Self.here, .forward(region: "near"), .forward(region: "far")])
        #expect(drive.course.record.placement?.isCodeHere == false)
    }

    // MARK: Every course there is

    /// What a step may come to besides a result.
    private static func failures(of step: InvocationCourse.Step) -> [InvocationError] {
        switch step {
        case .run: [.overloaded, .startFailed, .codeUnavailable, .launcherLost].map { .test($0) }
        case .forward:
            [
                .test(.overloaded, .beforeSend), .test(.versionNotHeld), .test(.regionFailed, .afterSend),
                .test(.regionFailed, .midResult), .test(.deadlineExceeded),
            ]
        }
    }

    private static func mayHaveRun(_ error: InvocationError) -> Bool { !notStarted.contains(error.code) }

    /// Walks every course that begins like this one, and counts them.
    private func walk(_ drive: CourseDrive, runs: Int, isIdempotent: Bool, _ count: inout Int) {
        var drive = drive
        guard case .step(let step) = drive.next() else {
            count += 1
            return
        }
        if case .forward = step { #expect(!drive.asked.contains(step), "a region is asked twice: \(drive.asked)") }
        #expect(isIdempotent || runs == 0, "it may have run, and \(step) is asked to run it")
        #expect(runs <= InvocationCourse.rerunsMax, "it may have run \(runs) times, and \(step) is asked to run it")
        drive.note(step)
        // Each region once; here as a warm one, for a start made thrice, and once more for what was learnt of capacity and of the code.
        guard drive.asked.count <= drive.regions.count + 7 else { return #expect(Bool(false), "no end: \(drive.asked)") }
        for error in Self.failures(of: step) {
            var next = drive
            if next.settle(error, after: step) {
                walk(next, runs: runs + (Self.mayHaveRun(error) ? 1 : 0), isIdempotent: isIdempotent, &count)
            } else {
                count += 1
            }
        }
    }

    @Test(arguments: [false, true], Worth.allCases)
    func `PLACE-16 PLACE-17 every course ends, asks no region twice, and repeats nothing that may not be`(
        isIdempotent: Bool, worth: Worth
    ) throws {
        for hasWarm in [false, true] {
            for freeSlots in [0, 8] {
                var drive = try CourseDrive(isIdempotent: isIdempotent, worth: worth)
                drive.regions = ["near", "far", "farthest"]
                drive.reachable = drive.regions
                (drive.hasWarm, drive.freeSlots) = (hasWarm, freeSlots)
                var count = 0
                walk(drive, runs: 0, isIdempotent: isIdempotent, &count)
                #expect(count > 3)
            }
        }
    }
}
