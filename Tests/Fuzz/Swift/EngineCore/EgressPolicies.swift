import Glibc

/// Lines into ``EgressPolicy`` and ``IPAddress``: the last line is what is asked for, the others are the owner's entries.
func fuzzEgressPolicy(_ bytes: UnsafeRawBufferPointer) {
    var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let asked = lines.popLast() ?? ""
    checkAddress(asked)
    checkName(asked)
    guard let policy = try? EgressPolicy(lines) else { return }
    check(policy.entries == lines, "entries are changed")
    check(lines.count <= EgressPolicy.entriesMax, "more entries than allowed")
    for port in [1, 80, 443, 3128, 65535] {
        if policy.permits(name: asked, port: port) { checkNamed(asked, lines) }
        if let address = IPAddress(asked) { checkPermission(policy, address, port) }
    }
}

/// What is read as an address is what the kernel's library reads, and is written so that it is read again.
private func checkAddress(_ text: String) {
    let isV6 = text.utf8.contains(UInt8(ascii: ":"))
    let ours = IPAddress(text)
    var theirs = [UInt8](repeating: 0, count: 16)
    let count = isV6 ? 16 : 4
    // A C string ends at a NUL, and so would the comparison.
    guard !text.utf8.contains(0) else { return check(ours == nil, "an address with a NUL") }
    let isRead = inet_pton(isV6 ? AF_INET6 : AF_INET, text, &theirs) == 1
    check((ours != nil) == isRead, "inet_pton and we do not agree whether \(text) is an address")
    guard let ours else { return }
    let bits = theirs.prefix(count).reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
    check(
        ours == (isV6 ? IPAddress(v6: bits) : IPAddress(v4: UInt32(bits))),
        "inet_pton reads \(text) as another address than \(ours)")
    check(IPAddress(ours.description) == ours, "\(ours) is not read as what it is")
}

private func checkName(_ text: String) {
    guard let name = EgressPolicy.canonicalName(text) else { return }
    check(EgressPolicy.canonicalName(name) == name, "a canonical name has another one")
    check(IPAddress(name) == nil, "an address that passes for a name: \(name)")
    check(name.utf8.count <= EgressPolicy.nameLengthMax && !name.isEmpty, "a name without limit")
    var unused = in_addr()
    check(inet_aton(name, &unused) == 0, "a name that old programs connect to as an address: \(name)")
}

/// A name is permitted only if an entry says so in letters.
private func checkNamed(_ asked: String, _ entries: [String]) {
    let name = EgressPolicy.canonicalName(asked) ?? ""
    let isListed = entries.contains { entry in
        var host = entry.prefix { $0 != ":" }.lowercased()
        if host.hasSuffix(".") { host.removeLast() }
        return host == name || host.hasPrefix("*.") && name.hasSuffix(host.dropFirst())
    }
    check(isListed, "\(asked) is permitted by none of \(entries)")
}

private func checkPermission(_ policy: EgressPolicy, _ address: IPAddress, _ port: Int) {
    let isSpecial = EgressPolicy.specialPurpose(of: address) != nil
    let isListed = policy.permits(address: address, port: port, isNamed: false)
    let byName = policy.permits(address: address, port: port, isNamed: true)
    check(byName == (isListed || !isSpecial), "a name leads to \(address) by other rules than the two")
    let onHost = policy.permits(address: address, port: port, isNamed: true, isOwnHost: true)
    check(!onHost || isListed, "this machine's own \(address) is reached without an entry")
    check(!policy.isNone || !isListed, "an empty list permits \(address)")
    // Loopback is never meant by a wider entry: the table has it as a row of its own.
    if address.isLoopback, isListed {
        let inside = policy.entries.contains { $0.hasPrefix("127.") || $0.hasPrefix("[") }
        check(inside, "loopback is permitted by none of \(policy.entries)")
    }
}
