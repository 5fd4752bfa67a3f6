import CZT
import Foundation

/// The packets of a network, exchanged with this program in place of an interface of the system.
///
///     let packets = try await network.packets()
///     for await batch in packets {
///         for packet in batch { print(packet.count) }
///     }
///
/// As a sequence it gives what comes, and ends when the network is left or given another port, when the node
/// stops, at ``close()``, and when its task is cancelled. Who does not receive loses packets, as on any link. Any
/// number of tasks may send; each packet is given to one who receives.
///
/// Packets cross into the library by a call of C for as many as there are; only to wait is it asked in another way.
public final class ZTPackets: Sendable {
    private let native: NativePackets

    init(_ native: NativePackets) {
        self.native = native
    }

    /// Sends packets, and waits while the node is busy with others.
    ///
    /// - Throws: `ZTError`, of `Code.stopped` once this has ended; `CancellationError`. Some may be sent then.
    public func send(_ batch: PacketBatch) async throws {
        var sent = 0
        while sent < batch.count {
            switch batch.pass(into: native.cHandle(), from: sent) {
            case .success(let taken): sent += taken
            case .failure(let error) where error.code == .wouldBlock: try await wait { try await native.writable() }
            case .failure(let error): throw error
            }
        }
    }

    /// Sends as many packets as the node takes at the moment, and returns how many. The others are for the caller to
    /// send again or to drop.
    public func trySend(_ batch: PacketBatch) throws(ZTError) -> Int {
        guard !batch.isEmpty else { return 0 }
        switch batch.pass(into: native.cHandle(), from: 0) {
        case .success(let taken): return taken
        case .failure(let error) where error.code == .wouldBlock: return 0
        case .failure(let error): throw error
        }
    }

    /// Replaces the packets of `batch` by some that have come, and waits for the first.
    ///
    /// - Throws: `ZTError`, of `Code.stopped` once this has ended; `CancellationError`.
    public func receive(into batch: inout PacketBatch) async throws {
        while true {
            switch batch.take(from: native.cHandle()) {
            case nil: return
            case let error? where error.code == .timeout: try await wait { try await native.readable() }
            case let error?: throw error
            }
        }
    }

    /// Ends what waits, and gives the packets up; the network stays joined. It happens by itself when the last
    /// reference goes.
    public func close() {
        native.end()
    }

    /// Waits for the library, which does not know of tasks.
    private func wait(_ ready: () async throws -> Void) async throws {
        try Task.checkCancellation()
        do {
            try await withTaskCancellationHandler(operation: ready) { native.nudge() }
        } catch {
            throw ZTError(error)
        }
        try Task.checkCancellation()
    }
}

extension ZTPackets: AsyncSequence {
    /// Receives batch after batch.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let packets: ZTPackets

        /// The next batch; `nil` at the end.
        public mutating func next() async -> PacketBatch? {
            var batch = PacketBatch()
            do { try await packets.receive(into: &batch) } catch { return nil }
            return batch
        }
    }

    public func makeAsyncIterator() -> Iterator {
        Iterator(packets: self)
    }
}
