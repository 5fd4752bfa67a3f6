import Foundation

/// A network, as a node sees it that is on it. It keeps nothing: it asks the node.
public struct ZTNetwork: Sendable {
    /// The node.
    public let node: ZTNode

    /// Which network.
    public let id: NetworkId

    /// How it stands.
    public func status() async throws(ZTError) -> NetworkStatus {
        try await node.ask { [id] in try await $0.network(network: id) }
    }

    /// Waits until the controller has admitted this node and configured it. A refusal is not the end: the node goes on
    /// asking, and the controller may change its mind.
    ///
    /// - Parameter patience: how long to wait; without end, or until the task is cancelled, if `nil`.
    /// - Throws: `ZTError`, of `Code.timeout` if it has not come so far, in which case the network stays joined;
    ///   `CancellationError`.
    public func configured(within patience: Duration? = nil) async throws -> NetworkStatus {
        guard let patience else { return try await waitUntilConfigured() }
        return try await withThrowingTaskGroup(of: NetworkStatus.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await waitUntilConfigured() }
            group.addTask {
                try await Task.sleep(for: patience)
                throw ZTError(.timeout, "\(id) has not admitted \(node.address) within \(patience)")
            }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
    }

    private func waitUntilConfigured() async throws -> NetworkStatus {
        // Listening comes first, so that nothing happens unseen between the two.
        let events = await node.events()
        let status = try await status()
        if status.standing == .ok { return status }
        for await event in events {
            switch event {
            case .network(let status) where status.id == id && status.standing == .ok: return status
            case .networkLeft(id): throw ZTError(.notJoined, "network \(id) was left")
            default: continue
            }
        }
        try Task.checkCancellation()
        throw ZTError.nodeHasStopped
    }

    /// Leaves the network and forgets everything about it.
    public func leave() async throws(ZTError) {
        try await node.ask { [id] in try await $0.leave(network: id) }
    }

    /// What the user allows the network.
    public func settings() async throws(ZTError) -> NetworkSettings {
        try await node.ask { [id] in try await $0.settings(network: id) }
    }

    /// Allows the network this much and no more, at once and from now on, until it is left.
    public func setSettings(_ settings: NetworkSettings) async throws(ZTError) {
        try await node.ask { [id] in try await $0.setSettings(network: id, settings: settings) }
    }

    /// What the network means for this machine.
    public func plan() async throws(ZTError) -> TunPlan {
        try await node.ask { [id] in try await $0.plan(network: id) }
    }

    /// Gives the network another port. A descriptor takes the place of another without loss.
    public func attach(_ port: Port) async throws(ZTError) {
        try await node.ask { [id] in try await $0.attach(network: id, port: port) }
    }

    /// Has this program exchange the network's packets, whatever its port was. Opened again, it is the later that
    /// gets them.
    public func packets(_ mode: PortMode = .l3) async throws(ZTError) -> ZTPackets {
        let native = try await node.ask { [id] in try await $0.openPackets(network: id, mode: mode) }
        return ZTPackets(native)
    }

    /// Whether the network's rules let an IP packet pass between this node and a peer, and why, without sending
    /// anything.
    public func wouldAllow(
        _ packet: Data,
        _ direction: Direction,
        peer: Address
    ) async throws(ZTError) -> Verdict {
        try await node.ask { [id] in
            try await $0.wouldAllow(network: id, peer: peer, packet: packet, direction: direction)
        }
    }
}
