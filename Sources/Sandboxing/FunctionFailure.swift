internal import EngineCore
internal import NIOCore
#if canImport(Glibc)
internal import Glibc
#endif

/// A failure of a function that the engine, not the function's runtime, puts into words: the one place where Lambda's error
/// bodies are built. Texts are Lambda's own; clients and alarms match on them.
struct FunctionFailure: Hashable, Sendable {
    /// Lambda's `errorType`.
    let errorType: String
    /// The error object as JSON text.
    let body: ByteBuffer
    /// What Lambda adds to the function's log, without line end; `nil` for nothing.
    let logLine: String?

    private init(_ errorType: String, _ message: String, logLine: String? = nil) {
        self.errorType = errorType
        self.logLine = logLine
        var json = [UInt8](#"{"errorType":"\#(errorType)","errorMessage":"#.utf8)
        appendJSONString(message, to: &json)
        json.append(UInt8(ascii: "}"))
        body = ByteBuffer(bytes: json)
    }

    /// The function's time-out, or that of its initialisation.
    static func timedOut(_ id: RequestID, after limit: Duration, epochMilliseconds: Int64) -> FunctionFailure {
        let text = "Task timed out after \(hundredths(of: limit)) seconds"
        return FunctionFailure(
            "Sandbox.Timedout", "RequestId: \(id) Error: \(text)",
            logLine: "\(CivilTime(epochMilliseconds: epochMilliseconds)) \(id) \(text)")
    }

    /// The runtime process ended although an answer was due.
    static func exited(_ id: RequestID, _ reason: ContainerExit.Reason) -> FunctionFailure {
        let text =
            switch reason {
            case .exited(status: 0): "Runtime exited without providing a reason"
            case .exited(let status): "Runtime exited with error: exit status \(status)"
            case .signaled(let signal): "Runtime exited with error: signal: \(signalName(signal))"
            case .outOfMemory, .killed: "Runtime exited with error: signal: killed"
            }
        return runtimeFailure("Runtime.ExitError", id, text)
    }

    /// The bundle has no program to execute.
    static func invalidEntrypoint(_ id: RequestID) -> FunctionFailure {
        runtimeFailure("Runtime.InvalidEntrypoint", id, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]")
    }

    /// The owner's list of system calls has a name that this kernel's table does not know.
    static func invalidProfile(_ id: RequestID) -> FunctionFailure {
        runtimeFailure(
            "Sandbox.InvalidProfile", id,
            "The list of system calls names one that does not exist. Deploy the function with what `wayside sandbox learn` prints")
    }

    /// The runtime sent what the wire does not allow.
    static func protocolError(_ id: RequestID, _ violation: String) -> FunctionFailure {
        runtimeFailure("Runtime.ProtocolError", id, "Runtime broke the protocol: \(violation)")
    }

    /// What came with the call is longer than the runtime's protocol allows. AWS's own limits are far below.
    static func callTooLarge(_ id: RequestID) -> FunctionFailure {
        runtimeFailure(
            "Sandbox.CallTooLarge", id,
            "The call is too long for its runtime. ARN, trace id and client context may have \(UInt16.max) bytes each, "
                + "and the whole call \(Frame.payloadMax)")
    }

    /// The runtime named a response mode that does not exist.
    static func invalidResponseMode(_ id: RequestID) -> FunctionFailure {
        runtimeFailure("Runtime.InvalidResponseModeHeader", id, "Invalid response mode header")
    }

    /// The answer is longer than `RuntimeLimits.responseMax`.
    static let responseTooLarge = responseTooLarge(limit: RuntimeLimits.responseMax)

    /// The answer, or what was streamed of it, is longer than `limit` bytes.
    static func responseTooLarge(limit: Int) -> FunctionFailure {
        FunctionFailure("Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (\(limit) bytes).")
    }

    /// A streamed result ended without its end.
    static func truncated(_ id: RequestID) -> FunctionFailure {
        runtimeFailure("Runtime.TruncatedResponse", id, "Response stream ended before it was complete")
    }

    private static func runtimeFailure(_ type: String, _ id: RequestID, _ text: String) -> FunctionFailure {
        FunctionFailure(type, "RequestId: \(id) Error: \(text)", logLine: "RequestId: \(id) Error: \(text)\n\(type)")
    }

    /// Seconds with two digits after the point, rounded down.
    static func hundredths(of duration: Duration) -> String {
        let hundredths = max(0, duration.wholeNanoseconds / 10_000_000)
        let fraction = hundredths % 100
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
    }

    /// The names Go gives to signals, for that is what Lambda prints.
    private static func signalName(_ signal: Int32) -> String {
        let names: [Int32: String] = [
            SIGHUP: "hangup", SIGINT: "interrupt", SIGQUIT: "quit", SIGILL: "illegal instruction", SIGTRAP: "trace/breakpoint trap",
            SIGABRT: "aborted", SIGBUS: "bus error", SIGFPE: "floating point exception", SIGKILL: "killed",
            SIGUSR1: "user defined signal 1", SIGSEGV: "segmentation fault", SIGUSR2: "user defined signal 2", SIGPIPE: "broken pipe",
            SIGALRM: "alarm clock", SIGTERM: "terminated", SIGXCPU: "CPU time limit exceeded", SIGXFSZ: "file size limit exceeded",
            SIGSYS: "bad system call",
        ]
        return names[signal] ?? "signal \(signal)"
    }
}

/// Sizes that Lambda's interfaces fix.
enum RuntimeLimits {
    /// Bytes of an answer; 6 MiB and 100 bytes.
    static let responseMax = 6_291_556
    /// Bytes of the content type of a streamed result. A longer one counts as none.
    static let contentTypeMax = 256
    /// Bytes of the error object of a failed initialisation that are kept.
    static let initialisationErrorMax = 256 << 10
    /// Bytes of a request's body, most of which are read and dropped then, after which its connection is closed.
    static let discardMax = 64 << 20
}
