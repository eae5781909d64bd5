import EngineCore
import Foundation
import Testing

@testable import CapacityPools

/// Variable capacity as an operator's program says. The programs are real.
///
/// One after the other: a script that is being written when another test starts a process is inherited by that one for a moment, and is
/// refused as busy until then (execve(2), ETXTBSY).
@Suite(.serialized, .timeLimit(.minutes(1))) struct VariableCommandTests {
    /// A folder that goes with the test.
    final class Folder: Sendable {
        let path = FileManager.default.temporaryDirectory.appending(path: "wayside-command-\(UUID().uuidString)")

        init() throws { try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true) }

        deinit { try? FileManager.default.removeItem(at: path) }

        /// - Returns: the path of a shell script.
        func script(_ text: String) throws -> String {
            let file = path.appending(path: "\(UUID().uuidString).sh")
            try "#!/bin/sh\n\(text)\n".write(to: file, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
            return file.path
        }

        func text(_ name: String) throws -> String { try String(contentsOf: path.appending(path: name), encoding: .utf8) }
    }

    static let answer = #"{"offers": [{"name": "spot", "memoryMebibytes": 4096, "pricePerGibibyteHour": 0.5}]}"#

    static func run(
        _ arguments: [String], timeLimit: Duration = .seconds(20), outputBytesMax: Int = 65_536
    ) async throws(VariableCapacityError) -> String {
        let command = OperatorCommand(arguments: arguments, timeLimit: timeLimit, outputBytesMax: outputBytesMax)
        return String(decoding: try await command.run(), as: UTF8.self)
    }

    static func code(of arguments: [String], timeLimit: Duration = .seconds(20), outputBytesMax: Int = 65_536) async
        -> VariableCapacityError.Code?
    {
        do throws(VariableCapacityError) {
            _ = try await run(arguments, timeLimit: timeLimit, outputBytesMax: outputBytesMax)
            return nil
        } catch {
            return error.code
        }
    }

    /// Whether a process that was killed has ended: the kernel may take a moment for it.
    static func ends(_ process: Int32) -> Bool {
        let limit = EngineInstant.now() + .seconds(5)
        while runs(process), EngineInstant.now() < limit { Thread.sleep(forTimeInterval: 0.005) }
        return !runs(process)
    }

    /// Whether a process runs; one that has ended and waits to be reaped does not.
    private static func runs(_ process: Int32) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8), let end = stat.lastIndex(of: ")")
        else {
            return false
        }
        return !stat[end...].hasPrefix(") Z")
    }

    @Test func `no shell reads the arguments`() async throws {
        #expect(try await Self.run(["/bin/echo", "$(id)", "a b", ";", "*"]) == "$(id) a b ; *\n")
    }

    @Test func `the program has nothing of the node's but a search path`() async throws {
        let environment = try await Self.run(["/usr/bin/env"]).split(separator: "\n")
        #expect(environment.map { $0.split(separator: "=")[0] }.sorted() == ["LC_ALL", "PATH"])
        // What `ls` sees is its standard three and the folder it lists.
        #expect(try await Self.run(["/bin/ls", "/proc/self/fd"]).split(separator: "\n") == ["0", "1", "2", "3"])
        #expect(try await Self.run(["/bin/cat"]).isEmpty)
    }

    @Test func `a program that hangs is killed with all that it has started`() async throws {
        let folder = try Folder()
        let script = try folder.script("sleep 600 & echo $! > \(folder.path.path)/child; echo $$ > \(folder.path.path)/self; wait")
        #expect(await Self.code(of: [script], timeLimit: .seconds(1)) == .commandTimedOut)
        for name in ["child", "self"] {
            let process = try #require(Int32(try folder.text(name).trimmingCharacters(in: .whitespacesAndNewlines)))
            #expect(Self.ends(process), "\(name)")
        }
    }

    @Test func `a program that closes its output and hangs is killed too`() async throws {
        let folder = try Folder()
        let script = try folder.script("exec >&- 2>&-; trap '' TERM INT; while :; do sleep 600; done")
        #expect(await Self.code(of: [script], timeLimit: .milliseconds(300)) == .commandTimedOut)
    }

    @Test func `what a program leaves behind is killed, and does not keep its answer`() async throws {
        let folder = try Folder()
        let script = try folder.script("sleep 600 & echo $! > \(folder.path.path)/child; echo done")
        #expect(try await Self.run([script]) == "done\n")
        let process = try #require(Int32(try folder.text("child").trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(Self.ends(process))
    }

    @Test func `a program that fails says why`() async throws {
        let folder = try Folder()
        let script = try folder.script("echo 'the market is closed' >&2; exit 3")
        let error = await #expect(throws: VariableCapacityError.self) { try await Self.run([script]) }
        #expect(error?.code == .commandFailed)
        #expect(error?.message.contains("3") == true && error?.message.contains("the market is closed") == true)
        #expect(await Self.code(of: [try folder.script("kill -9 $$")]) == .commandFailed)
        #expect(await Self.code(of: [try folder.script("yes >&2 & sleep 600")], timeLimit: .milliseconds(300)) == .commandTimedOut)
    }

    @Test func `a program that does not exist, or is none, is not started`() async throws {
        let folder = try Folder()
        let plain = folder.path.appending(path: "plain")
        try "text".write(to: plain, atomically: true, encoding: .utf8)
        #expect(await Self.code(of: ["\(folder.path.path)/nothing"]) == .commandNotStarted)
        #expect(await Self.code(of: [plain.path]) == .commandNotStarted)
    }

    @Test func `output is taken up to its limit and not a byte more`() async throws {
        #expect(try await Self.run(["/usr/bin/head", "-c", "200000", "/dev/zero"], outputBytesMax: 200_000).utf8.count == 200_000)
        #expect(
            await Self.code(of: ["/usr/bin/head", "-c", "200001", "/dev/zero"], outputBytesMax: 200_000) == .commandOutputTooLarge)
        #expect(await Self.code(of: ["/usr/bin/yes"]) == .commandOutputTooLarge)
    }

    @Test func `a task that is cancelled kills its program`() async throws {
        let folder = try Folder()
        let mark = folder.path.appending(path: "self")
        let script = try folder.script("echo $$ > \(mark.path).new; mv \(mark.path).new \(mark.path); exec sleep 600")
        let code = await withTaskGroup(of: VariableCapacityError.Code?.self) { group in
            group.addTask { await Self.code(of: [script]) }
            while !FileManager.default.fileExists(atPath: mark.path) { await Task.yield() }
            group.cancelAll()
            return await group.next() ?? nil
        }
        #expect(code == .cancelled)
        let process = try #require(Int32(try folder.text("self").trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(Self.ends(process))
    }

    @Test func `an answer becomes offers, its forecast instants`() throws {
        let text = """
            {"offers": [{"name": "spot", "memoryMebibytes": 4096, "pricePerGibibyteHour": 0.5, "market": "west",
              "forecast": [{"from": 900, "to": 1060, "pricePerGibibyteHour": 0.2},
                           {"from": 1060, "to": 99999999999, "pricePerGibibyteHour": 3}]},
             {"name": "gone", "memoryMebibytes": 0, "pricePerGibibyteHour": 0}]}
            """
        let moment = WallMoment(epochMilliseconds: 1_000_000, instant: EngineInstant(nanoseconds: 0))
        let offers = try OfferDocument.offers(in: Array(text.utf8), at: moment)
        #expect(offers.map(\.name) == ["spot", "gone"] && offers.map(\.memory) == [.mebibytes(4096), .zero])
        let forecast = offers[0].forecast
        #expect(forecast[0] == PricePeriod(from: moment.instant + .seconds(-100), to: moment.instant + .seconds(60), price: 0.2))
        #expect(forecast[1].to == moment.instant + .seconds(7 * 86_400))
    }

    static func offer(_ members: String) -> String { #"{"offers": [{\#(members)}]}"# }
    static let good = #""name": "a", "memoryMebibytes": 1, "pricePerGibibyteHour": 1"#

    @Test(arguments: [
        "", "no json", "[]", "{}", #"{"offers": {}}"#, offer(""), offer(#""name": "a", "memoryMebibytes": 1"#),
        offer(#""name": "a/b", "memoryMebibytes": 1, "pricePerGibibyteHour": 1"#),
        offer(#""name": "a", "memoryMebibytes": -1, "pricePerGibibyteHour": 1"#),
        offer(#""name": "a", "memoryMebibytes": 99999999999, "pricePerGibibyteHour": 1"#),
        offer(#""name": "a", "memoryMebibytes": 1, "pricePerGibibyteHour": -1"#),
        offer(#""name": "a", "memoryMebibytes": 1, "pricePerGibibyteHour": 1e99"#),
        offer(#""name": "a", "memoryMebibytes": 1, "pricePerGibibyteHour": "1""#),
        offer(good + #", "forecast": [{"from": 2, "to": 1, "pricePerGibibyteHour": 1}]"#), offer(good + "}, {" + good),
        String(repeating: "[", count: 60_000),
    ])
    func `an answer that makes no sense is refused as a whole`(text: String) {
        let error = #expect(throws: VariableCapacityError.self) { try OfferDocument.offers(in: Array(text.utf8), at: .now()) }
        #expect(error?.code == .answerInvalid)
    }

    @Test func `the last offers hold for a bounded time, then they are withdrawn, and come again with the program`() async throws {
        let folder = try Folder()
        let broken = folder.path.appending(path: "broken")
        // Broken, it hangs, fails and writes nonsense in turn; a mark says that it was asked.
        let script = try folder.script(
            """
            [ -e \(broken.path) ] || exec echo '\(Self.answer)'
            n=$(cat \(broken.path)); echo $((n + 1)) > \(broken.path)
            case $((n % 3)) in 0) exec sleep 600 ;; 1) exit 1 ;; 2) echo nonsense ;; esac
            """)
        let settings = CommandCapacitySettings(
            arguments: [script], interval: .milliseconds(100), timeLimit: .milliseconds(500), staleAfter: .seconds(3))
        let driver = try CommandCapacity(settings: settings)
        let (stream, continuation) = AsyncStream.makeStream(of: (VariableOffer, EngineInstant).self)
        await withDiscardingTaskGroup { group in
            group.addTask { await driver.run { continuation.yield(($0, .now())) } }
            var lastGood = EngineInstant(nanoseconds: 0)
            var isWithdrawn = false
            for await (offer, at) in stream {
                #expect(offer.name == "spot")
                if offer.memory == .zero {
                    #expect(at - lastGood >= .seconds(3))
                    isWithdrawn = true
                    #expect(throws: Never.self) { try FileManager.default.removeItem(at: broken) }
                } else if isWithdrawn {
                    break
                } else {
                    #expect(offer.memory == .mebibytes(4096) && offer.price == 0.5)
                    lastGood = at
                    #expect(throws: Never.self) { try "0".write(to: broken, atomically: true, encoding: .utf8) }
                }
            }
            #expect(isWithdrawn)
            group.cancelAll()
        }
        #expect(driver.summary.contains(script))
    }

    @Test func `what is not offered any more is withdrawn once`() {
        var keeper = OfferKeeper(staleAfter: .seconds(10))
        func offer(_ name: String, _ mebibytes: Int) -> VariableOffer {
            VariableOffer(name: name, price: 1, memory: .mebibytes(mebibytes))
        }
        func at(_ seconds: Int64) -> EngineInstant { EngineInstant(nanoseconds: seconds * 1_000_000_000) }
        #expect(keeper.failed(now: at(0)).isEmpty)
        #expect(keeper.answered([offer("a", 1), offer("b", 2)], now: at(1)) == [offer("a", 1), offer("b", 2)])
        let second = keeper.answered([offer("b", 2)], now: at(2))
        #expect(second.map(\.name) == ["b", "a"] && second[1].memory == .zero)
        #expect(keeper.answered([offer("b", 2)], now: at(3)) == [offer("b", 2)])
        #expect(keeper.failed(now: at(12)).isEmpty)
        #expect(keeper.failed(now: at(13)).map(\.name) == ["b"])
        #expect(keeper.failed(now: at(14)).isEmpty)
    }

    @Test(arguments: [
        CommandCapacitySettings(arguments: []), CommandCapacitySettings(arguments: ["offers"]),
        CommandCapacitySettings(arguments: ["/bin/true", "a\0b"]),
        CommandCapacitySettings(arguments: ["/bin/true"], interval: .zero),
        CommandCapacitySettings(arguments: ["/bin/true"], timeLimit: .zero),
        CommandCapacitySettings(arguments: ["/bin/true"], outputBytesMax: 0),
        CommandCapacitySettings(arguments: ["/bin/true"], staleAfter: .seconds(1)),
    ])
    func `settings that make no sense are refused`(settings: CommandCapacitySettings) {
        let error = #expect(throws: VariableCapacityError.self) { try CommandCapacity(settings: settings) }
        #expect(error?.code == .settingsInvalid)
    }
}
