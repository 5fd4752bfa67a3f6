import Foundation
import LibZT

/// What a tunnel needs of the system; on Apple's systems that is a packet tunnel provider.
protocol TunnelHost: Sendable {
    /// Has the interface be as `plan` wants it, default routes included only if told so.
    func establish(_ plan: TunPlan, defaultRoutes: Bool) async throws

    /// The descriptor of the interface, each read and write of which is one packet behind 4 bytes of address family;
    /// `nil` if the system does not show it, so that packets are exchanged by ``read()`` and ``write(_:)``.
    func descriptor() -> Int32?

    /// Waits for packets of the system.
    func read() async -> [Data]

    /// Gives packets to the system.
    func write(_ packets: [Data])

    /// Tells of what has happened.
    func heard(_ event: NodeEvent)

    /// Tells that the tunnel has ended by itself.
    func ended(_ problem: any Error)
}

/// A node that is a member of one network, and an interface that is as the network wants it.
actor Tunnel {
    private let node: ZTNode
    nonisolated let network: ZTNetwork
    private let host: any TunnelHost
    private var following: Task<Void, Never>?
    private var bridging: Task<Void, Never>?
    private var attached: Int32?
    private var established: (plan: TunPlan, defaultRoutes: Bool)?

    private init(_ node: ZTNode, _ network: ZTNetwork, _ host: any TunnelHost) {
        self.node = node
        self.network = network
        self.host = host
    }

    /// Which network to be a member of.
    struct Membership: Sendable {
        var network: NetworkId
        /// That of the controller, if it is known.
        var fingerprint: String?
        /// What the user allows the network; what was allowed last if `nil`.
        var settings: NetworkSettings?
        /// How long the controller may take to admit this node.
        var patience: Duration
    }

    /// Starts a node, joins a network, and waits until the interface is there.
    static func start(_ config: Config, _ membership: Membership, host: any TunnelHost) async throws -> Tunnel {
        let node = try await ZTNode.start(config)
        do {
            let events = await node.events()
            let joined = try await node.join(membership.network, fingerprint: membership.fingerprint)
            if let settings = membership.settings { try await joined.setSettings(settings) }
            let tunnel = Tunnel(node, joined, host)
            _ = try await joined.configured(within: membership.patience)
            try await tunnel.carryOut()
            await tunnel.follow(events)
            return tunnel
        } catch {
            try? await node.stop()
            throw error
        }
    }

    /// Ends it all, and waits until the node's state is saved.
    func stop() async {
        following?.cancel()
        bridging?.cancel()
        // It goes on stopping by itself if that takes long.
        try? await node.stop()
        await following?.value
    }

    /// How it is doing, for the application.
    func status() async throws -> TunnelStatus {
        TunnelStatus(try await node.status(), try await network.status())
    }

    // MARK: What the system says

    func conditionsChanged(_ conditions: Conditions, networkChanged: Bool) async throws {
        try await node.setConditions(conditions)
        if networkChanged { try await node.networkChanged() }
    }

    func sleep() async throws {
        try await node.sleep()
    }

    func wake() async throws {
        try await node.wake()
    }

    func trimMemory() async throws {
        try await node.trimMemory()
    }

    // MARK: What the node says

    private func follow(_ events: AsyncStream<NodeEvent>) {
        following = Task { [weak self] in
            for await event in events {
                do {
                    try await self?.handle(event)
                } catch {
                    // Who stops it knows that it ends.
                    if !Task.isCancelled { self?.host.ended(error) }
                    return
                }
            }
        }
    }

    private func handle(_ event: NodeEvent) async throws {
        switch event {
        case .plan(network.id, _, _), .online:
            try await carryOut()
        case .interfaceLost(network.id):
            if host.descriptor() == attached { throw ZTError(.interface, "the system has closed the interface") }
            try await attach()
        default:
            break
        }
        host.heard(event)
    }

    /// Has the interface be as the network wants it, and its packets pass through the node.
    private func carryOut() async throws {
        // What an event tells may not be so any more.
        let plan = try await network.plan()
        // A default route that leads to nobody would cut the device off.
        let defaultRoutes = try await node.status().online && plan.routes.contains { $0.bits == 0 }
        let isNews = established.map { plan.change(from: $0.plan) != .nothing || defaultRoutes != $0.defaultRoutes }
        if isNews ?? true {
            try await host.establish(plan, defaultRoutes: defaultRoutes)
            established = (plan, defaultRoutes)
        }
        try await attach()
    }

    private func attach() async throws {
        guard let descriptor = host.descriptor() else { return try await bridge() }
        if descriptor == attached { return }
        try await network.attach(.descriptor(fd: descriptor, mode: .l3, framing: .addressFamily))
        attached = descriptor
    }

    /// Passes packets between system and node, batch by batch.
    private func bridge() async throws {
        guard bridging == nil else { return }
        let packets = try await network.packets()
        bridging = Task { [host] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await batch in packets { host.write(Array(batch)) }
                }
                group.addTask {
                    while !Task.isCancelled {
                        let batch = PacketBatch(await host.read())
                        do { try await packets.send(batch) } catch { return }
                    }
                }
            }
        }
    }
}
