internal import CSandboxProtocol
internal import EngineCore
internal import SystemPackage

/// Packets of the launcher into ``LauncherMessage``, and the same bytes as texts and numbers into ``LauncherRequest``.
func fuzzLauncherMessages(_ bytes: UnsafeRawBufferPointer) {
    read(bytes)
    write(Source(bytes))
}

private func read(_ bytes: UnsafeRawBufferPointer) {
    guard let message = LauncherMessage(bytes) else { return }
    check(bytes.count >= MemoryLayout<ws_header>.size, "a message without a header")
    let header = bytes.loadUnaligned(as: ws_header.self)
    check(header.magic == WS_PROTOCOL_MAGIC && header.version == WS_PROTOCOL_VERSION, "a message of another build")
    check(Int(header.length) == bytes.count, "a message of another length")
    switch message {
    case .capabilities(let requestID, _): check(requestID == header.request_id, "an answer to another request")
    case .reply(let requestID, let reply):
        check(requestID == header.request_id, "an answer to another request")
        takeApart(reply)
    case .adopted(let requestID, let kept):
        check(requestID == header.request_id, "an answer to another request")
        guard let kept else { break }
        check(kept.instance != 0, "no instance")
        check(kept.label.count == bytes.count - MemoryLayout<ws_adopted>.size, "a label of another length")
        check(!kept.runtime.unicodeScalars.contains("\0"), "a name with a NUL")
    case .event(.containerLearned(_, let names)):
        let room = bytes.count - MemoryLayout<ws_container_syscalls>.size
        check(names.count * 2 <= room && names.allSatisfy { !$0.isEmpty }, "more names than there are bytes")
    case .event(.zygoteExited(let runtime, _)):
        check(!runtime.unicodeScalars.contains("\0"), "a name with a NUL")
    case .event: break
    }
}

/// Numbers in place of descriptors: nothing is closed or read here.
private func takeApart(_ reply: ws_reply) {
    let kinds = [
        WS_DESCRIPTOR_CHANNEL, WS_DESCRIPTOR_LOG, WS_DESCRIPTOR_MEMORY, WS_DESCRIPTOR_CPU, WS_DESCRIPTOR_FREEZER,
        WS_DESCRIPTOR_EGRESS,
        WS_DESCRIPTOR_REPORT,
    ]
    for count in 0...8 {
        let given = (0..<count).map { SystemPackage.FileDescriptor(rawValue: 1000 + CInt($0)) }
        guard let descriptors = ReplyDescriptors(bits: reply.descriptors, given) else {
            check(reply.descriptors.nonzeroBitCount != count, "a right number of descriptors is refused")
            continue
        }
        check(reply.descriptors.nonzeroBitCount == count, "a wrong number of descriptors is taken")
        let named = kinds.compactMap { descriptors[$0] }
        check(Set(named).count == named.count && Set(named).isSubset(of: given), "a descriptor with two names")
    }
}

private func write(_ input: Source) {
    var source = input
    let text = { (bytes: [UInt8]) in String(decoding: bytes, as: UTF8.self) }
    let stages = UInt32(source.byte() & 3)
    let count = Int(source.byte())
    var specification = ContainerSpecification(
        instance: UInt64(source.byte()), container: UInt64(source.byte()), stages: .init(rawValue: stages),
        runtime: text(source.bytes()),
        bundle: text(source.bytes()))
    var strings: [String] = []
    while !source.isEmpty, strings.count < 700 { strings.append(text(source.bytes())) }
    specification.arguments = Array(strings.prefix(count))
    specification.environment = Array(strings.dropFirst(count))
    guard let packet = try? LauncherRequest.startContainer(specification).encoded(requestID: 7) else { return }
    check(packet.count <= Int(WS_MESSAGE_MAX), "a packet over the limit")
    packet.withUnsafeBytes { packet in
        let fixed = MemoryLayout<ws_container_start>.size
        check(packet.count >= fixed, "a packet without its fixed part")
        let body = packet.loadUnaligned(as: ws_container_start.self)
        check(
            Int(body.header.length) == packet.count && Int(body.strings_length) == packet.count - fixed, "lengths that do not fit")
        let ends = packet[fixed...].count { $0 == 0 }
        check(ends == Int(body.argc + body.envc + body.syscallc), "another number of strings than counted")
        check(packet.count == fixed || packet.last == 0, "the last string is not terminated")
        check(withUnsafeBytes(of: body.runtime) { $0.contains(0) }, "the runtime's name is not terminated")
        check(withUnsafeBytes(of: body.bundle) { $0.contains(0) }, "the bundle's path is not terminated")
    }
}
