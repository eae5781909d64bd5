import EngineCore
import Testing

@testable import CapacityPools

/// Variable capacity by the clock, in virtual time.
@Suite struct VariableScheduleTests {
    /// 12:34 of some day is 12 * 60 + 34. The monotonic clock has another origin.
    static func moment(_ minutes: Int64) -> WallMoment {
        WallMoment(
            epochMilliseconds: 20_000 * 86_400_000 + minutes * 60_000,
            instant: EngineInstant(nanoseconds: minutes * 60_000_000_000 + 77))
    }

    static func schedule() throws -> ScheduledCapacity {
        try ScheduledCapacity(name: "spot", windows: ["22:00-06:00=0.5@4GiB", "12:00-13:00=2@512MiB"])
    }

    @Test(arguments: [
        (0 as Int64, 4096, 0.5), (359, 4096, 0.5), (360, 0, 2), (719, 0, 2), (720, 512, 2), (779, 512, 2), (780, 0, 0.5),
        (1319, 0, 0.5),
        (1320, 4096, 0.5), (1439, 4096, 0.5), (1440, 4096, 0.5), (-120, 4096, 0.5), (-121, 0, 0.5),
    ])
    func `a window goes on across midnight, and between windows nothing is offered`(minute: Int64, mebibytes: Int, price: Double)
        throws
    {
        let offer = try Self.schedule().offer(at: Self.moment(minute))
        #expect(offer.name == "spot" && offer.memory == .mebibytes(mebibytes) && offer.price == price)
    }

    @Test func `the forecast is the schedule, in instants`() throws {
        let forecast = try Self.schedule().offer(at: Self.moment(13 * 60)).forecast
        func period(_ from: Int64, _ to: Int64, _ price: Double) -> PricePeriod {
            PricePeriod(from: Self.moment(from).instant, to: Self.moment(to).instant, price: price)
        }
        #expect(forecast == [period(1320, 1800, 0.5), period(2160, 2220, 2), period(2760, 3240, 0.5), period(3600, 3660, 2)])
    }

    @Test func `POOL-13 work that may wait from noon on begins when the night does`() throws {
        let schedule = try Self.schedule()
        let offer = schedule.offer(at: Self.moment(750))
        let start = PricePlan(forecast: offer.forecast).cheapestStart(
            now: Self.moment(750).instant, guard: Self.moment(1440).instant, duration: .seconds(60), current: offer.price)
        #expect(start == PlannedStart(at: Self.moment(1320).instant, cause: .window, price: 0.5))
    }

    @Test(arguments: [(0 as Int64, 360 as Int64), (360, 720), (720, 780), (780, 1320), (1320, 1800), (-121, -120)])
    func `the next change is a window's begin or end`(minute: Int64, next: Int64) throws {
        #expect(try Self.schedule().nextChange(after: Self.moment(minute).epochMilliseconds) == Self.moment(next).epochMilliseconds)
    }

    @Test func `a window may last all day`() throws {
        let schedule = try ScheduledCapacity(name: "all", windows: ["00:00-24:00=1@1MiB"])
        for minute in stride(from: 0, through: 1440, by: 60) as StrideThrough<Int64> {
            #expect(schedule.offer(at: Self.moment(minute)).memory == .mebibytes(1))
        }
    }

    @Test func `what is offered now is delivered at once, until the task is cancelled`() async throws {
        let schedule = try ScheduledCapacity(name: "all", windows: ["00:00-24:00=1@1MiB"])
        let (stream, continuation) = AsyncStream.makeStream(of: VariableOffer.self)
        await withDiscardingTaskGroup { group in
            group.addTask { await schedule.run { continuation.yield($0) } }
            for await offer in stream {
                #expect(offer.memory == .mebibytes(1))
                break
            }
            group.cancelAll()
        }
        #expect(schedule.summary.contains("schedule"))
    }

    @Test(arguments: [
        [], [""], ["22:00-06:00"], ["22:00-06:00=0.5"], ["22:00-06:00=0.5@4096"], ["22:00-22:00=0.5@4MiB"], ["24:00-06:00=1@4MiB"],
        ["22:60-06:00=1@4MiB"], ["25:00-26:00=1@4MiB"], ["22:00-06:00=-1@4MiB"], ["22:00-06:00=1.2.3@4MiB"], ["22:00-06:00=1@0MiB"],
        ["22:00-06:00=2000000000@4MiB"], ["22:00-06:00=1@4MiB "], ["22:00-06:00=1@4MiB", "05:00-07:00=1@4MiB"],
        ["22:00-06:00=1@4MiB", "21:00-22:01=1@4MiB"], ["00:00-24:00=1@4MiB", "12:00-13:00=1@4MiB"],
        (0..<25).map { _ in "22:00-06:00=1@4MiB" },
    ])
    func `a schedule that makes no sense is refused`(windows: [String]) {
        let error = #expect(throws: VariableCapacityError.self) { try ScheduledCapacity(name: "spot", windows: windows) }
        #expect(error?.code == .settingsInvalid)
    }

    @Test(arguments: ["", "a/b", "a b", "é", String(repeating: "a", count: 65)])
    func `a name that cannot be that of a sub-pool is refused`(name: String) {
        let error = #expect(throws: VariableCapacityError.self) {
            try ScheduledCapacity(name: name, windows: ["22:00-06:00=1@4MiB"])
        }
        #expect(error?.code == .settingsInvalid)
    }
}
