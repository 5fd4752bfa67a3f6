import CZT
import Foundation

/// Packets back to back: what a call of the library takes, or gives, at once.
///
/// Keep one and use it again, for it keeps its memory. As a sequence it gives copies;
/// ``forEachUnsafe(_:)`` gives packets where they lie.
public struct PacketBatch: Sendable {
    /// What is behind `used` is room to receive into.
    private var slab: [UInt8] = []
    private var used = 0
    private var lengths: [UInt32] = []
    /// How many of `lengths` there are; those behind are room as well.
    public private(set) var count = 0

    /// A batch of no packets.
    public init() {}

    /// A batch of these.
    public init(_ packets: some Sequence<some ContiguousBytes>) {
        packets.forEach { append($0) }
    }

    /// Whether there are no packets.
    public var isEmpty: Bool { count == 0 }

    /// The length of all packets together, in bytes.
    public var byteCount: Int { used }

    /// Appends a packet: IPv4 or IPv6 header first, or an Ethernet frame.
    public mutating func append(_ packet: some ContiguousBytes) {
        packet.withUnsafeBytes { bytes in
            slab.removeLast(slab.count - used)
            slab.append(contentsOf: bytes)
            lengths.removeLast(lengths.count - count)
            lengths.append(UInt32(bytes.count))
            used += bytes.count
            count += 1
        }
    }

    /// Forgets all packets.
    public mutating func removeAll() {
        (used, count) = (0, 0)
    }

    /// Gives each packet where it lies. The memory is there during the call only.
    public func forEachUnsafe(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
        try slab.withUnsafeBytes { bytes in
            var start = 0
            for length in lengths.prefix(count).lazy.map(Int.init) {
                try body(UnsafeRawBufferPointer(rebasing: bytes[start..<start + length]))
                start += length
            }
        }
    }
}

extension PacketBatch: Sequence {
    /// Gives a copy of each packet.
    public func makeIterator() -> AnyIterator<Data> {
        var (index, start) = (0, 0)
        return AnyIterator {
            guard index < count else { return nil }
            let end = start + Int(lengths[index])
            defer { (index, start) = (index + 1, end) }
            return Data(slab[start..<end])
        }
    }
}

extension PacketBatch {
    /// Room made to receive into: some batches of the node's, and more than any packet takes.
    private static let roomBytes = 128 * 1024
    private static let roomPackets = 128

    /// Passes packets into a queue, from number `first` on. Returns how many there was room for.
    func pass(into handle: zt_packets, from first: Int) -> Result<Int, ZTError> {
        let start = lengths.prefix(first).reduce(0) { $0 + Int($1) }
        var taken = 0
        let result = slab[start..<used].withUnsafeBufferPointer { slab in
            lengths[first..<count].withUnsafeBufferPointer { lengths in
                zt_network_packets_in(
                    handle, slab.baseAddress, slab.count, lengths.baseAddress, lengths.count, &taken)
            }
        }
        if let error = ZTError(result: result) { return .failure(error) }
        return .success(taken)
    }

    /// Replaces the packets by those there are in a queue, as many as there is room for. Returns why there are none.
    mutating func take(from handle: zt_packets) -> ZTError? {
        if slab.count < Self.roomBytes {
            slab.append(contentsOf: repeatElement(0, count: Self.roomBytes - slab.count))
        }
        if lengths.count < Self.roomPackets {
            lengths.append(contentsOf: repeatElement(0, count: Self.roomPackets - lengths.count))
        }
        var taken = 0
        let result = slab.withUnsafeMutableBufferPointer { slab in
            lengths.withUnsafeMutableBufferPointer { lengths in
                zt_network_packets_out(
                    handle, 0, slab.baseAddress, slab.count, lengths.baseAddress, lengths.count, &taken)
            }
        }
        removeAll()
        if let error = ZTError(result: result) { return error }
        count = taken
        used = lengths.prefix(taken).reduce(0) { $0 + Int($1) }
        return nil
    }
}
