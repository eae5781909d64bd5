/// What one input is given to. It traps when a promise is broken; the address sanitizer and the runtime trap by themselves.
struct FuzzTarget: Sendable {
    let name: String
    let run: @Sendable (UnsafeRawBufferPointer) -> Void
}

/// A program has several targets (`targets`, of each folder); the name it was started by says which one is meant.
private let chosen: FuzzTarget = {
    let name = CommandLine.arguments.first.flatMap { $0.split(separator: "/").last } ?? ""
    guard let target = targets.first(where: { $0.name == name }) else {
        fatalError("no target \(name) here: \(targets.map(\.name))")
    }
    return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // SAFETY: libFuzzer lends exactly `count` bytes until this function returns, and nothing keeps them.
    chosen.run(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}

func check(_ condition: Bool, _ promise: @autoclosure () -> String, line: UInt = #line) {
    guard condition else { fatalError("broken promise: \(promise())", line: line) }
}

/// The input, taken piece by piece from its front; what is missing reads as zero.
struct Source {
    private var rest: UnsafeRawBufferPointer.SubSequence

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes[...] }

    var isEmpty: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    /// At most as many bytes as the next two say.
    mutating func bytes() -> [UInt8] {
        let count = Int(byte()) | Int(byte()) << 8
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    mutating func remainder() -> [UInt8] {
        defer { rest = rest.dropFirst(rest.count) }
        return Array(rest)
    }
}
