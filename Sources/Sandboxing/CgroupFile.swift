internal import SystemPackage
#if canImport(Glibc)
internal import Glibc
#endif

/// Files of a cgroup: small texts that the kernel makes when they are read and obeys when they are written.
enum CgroupFile {
    /// The first number in the file, which is the wanted one in `memory.peak`, `memory.max_usage_in_bytes`, `cpuacct.usage` and
    /// `cpu.stat` (cgroup-v2.rst). One pread(2).
    ///
    /// - Returns: `nil` when it cannot be read, as when the cgroup has gone, or has none.
    static func number(in file: SystemPackage.FileDescriptor) -> Int? {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { text in
            let count = pread(file.rawValue, text.baseAddress, text.count, 0)
            guard count > 0 else { return nil }
            let digits = text[..<count].drop { !isDigit($0) }.prefix(while: isDigit)
            return digits.isEmpty ? nil : digits.reduce(0) { $0 &* 10 &+ Int($1 - 0x30) }
        }
    }

    /// One pwrite(2) of a whole value.
    static func write(_ value: StaticString, to file: SystemPackage.FileDescriptor) -> Bool {
        pwrite(file.rawValue, value.utf8Start, value.utf8CodeUnitCount, 0) == value.utf8CodeUnitCount
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
