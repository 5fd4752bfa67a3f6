extension ZTNode {
    // MARK: Networks this node is on

    /// Joins a network, or changes the port of one that is joined. Returns once the port is open; the
    /// controller's answer follows as `NodeEvent.network`, and ``ZTNetwork/configured(within:)`` waits for it.
    ///
    /// - Parameters:
    ///   - port: where its packets go. ``ZTNetwork/packets(_:)`` and ``ZTNetwork/attach(_:)`` may give it another.
    ///   - fingerprint: that of the controller, so that nobody else is taken for it. If somebody else is found there, the
    ///     network stands at `.identityConflict` until the right one is pinned.
    @discardableResult
    public func join(
        _ network: NetworkId,
        port: Port = .none,
        fingerprint: String? = nil
    ) async throws(ZTError) -> ZTNetwork {
        try await ask { try await $0.join(network: network, port: port, fingerprint: fingerprint) }
        return ZTNetwork(node: self, id: network)
    }

    /// A network that is joined, or was: nothing is asked before its functions are called.
    public nonisolated func network(_ id: NetworkId) -> ZTNetwork {
        ZTNetwork(node: self, id: id)
    }

    /// Every joined network, by ascending ID.
    public func networks() async throws(ZTError) -> [NetworkStatus] {
        try await ask { try await $0.networks() }
    }

    /// The networks that were joined when the node last ran, or are joined, by ascending ID.
    public func memberships() async throws(ZTError) -> [NetworkId] {
        try await ask { try await $0.memberships() }
    }

    // MARK: Networks this node controls

    /// Makes a network that this node controls. It has to run with `Config.controller`.
    public func createNetwork(_ network: HostedNetwork) async throws(ZTError) -> NetworkId {
        try await ask { try await $0.createNetwork(network: network) }
    }

    /// Lets a member onto a network this node controls, whether it has asked yet or not.
    public func allow(_ member: Address, on network: NetworkId) async throws(ZTError) {
        try await ask { try await $0.allow(network: network, member: member) }
    }

    /// Takes a member off a network this node controls.
    public func deny(_ member: Address, on network: NetworkId) async throws(ZTError) {
        try await ask { try await $0.deny(network: network, member: member) }
    }
}
