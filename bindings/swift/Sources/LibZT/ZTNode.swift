/// A node, from its start to its stop.
///
///     let node = try await ZTNode.start(Config(home: directory, profile: .phone))
///     let network = try await node.join(NetworkId("8056c2e21c000001")!)
///     print(try await network.configured().addresses)
///
/// Errors are `ZTError`s. A call that is cancelled goes on, as does the node with what it was asked; only
/// what waits for the network says in its description how it is given up. ``stop()`` a node: one whose last reference
/// goes is stopped as well, but nobody learns when.
public actor ZTNode {
    /// This node's address.
    public nonisolated let address: Address

    /// This node's identity without its private key, as text.
    public nonisolated let identity: String

    private var native: NativeNode?
    private var listeners: [Int: AsyncStream<NodeEvent>.Continuation] = [:]
    private var listenersSoFar = 0
    private var reading: Task<Void, Never>?

    private init(_ native: NativeNode) {
        self.native = native
        address = native.address()
        identity = native.identity()
    }

    deinit {
        if let native {
            Task { try? await native.stop() }
        }
    }

    // MARK: Start and stop

    /// Starts a node. One without an identity makes one, which takes a second or two.
    ///
    /// - Parameter hooks: whom it asks while it runs: to keep its sockets out of a VPN, or to keep its state.
    public static func start(_ config: Config, hooks: Hooks = Hooks()) async throws(ZTError) -> ZTNode {
        do {
            let native = try await NativeNode.startWith(config: config, hooks: hooks)
            let node = ZTNode(native)
            await node.read(native)
            return node
        } catch {
            throw ZTError(error)
        }
    }

    /// Stops the node and waits until its state is saved, its interfaces are gone and all streams of events
    /// have ended. Once it has stopped, this does nothing.
    ///
    /// - Throws: `ZTError.Code.timeout` if that takes longer than 10 s. The node goes on stopping.
    public func stop() async throws(ZTError) {
        guard native != nil else { return }
        try await ask { try await $0.stop() }
        await reading?.value
        native = nil
    }

    /// Asks the node something, unless it has stopped.
    func ask<Answer: Sendable>(
        _ question: @Sendable (NativeNode) async throws -> Answer
    ) async throws(ZTError) -> Answer {
        guard let native else { throw .nodeHasStopped }
        do { return try await question(native) } catch { throw ZTError(error) }
    }

    // MARK: What happens

    /// What happens from now on, until the node stops. Any number of streams may be asked for, each of which gets all
    /// of it; one nobody reads keeps the latest 1024 events.
    public func events() -> AsyncStream<NodeEvent> {
        let (stream, listener) = AsyncStream.makeStream(of: NodeEvent.self, bufferingPolicy: .bufferingNewest(1024))
        guard reading != nil else {
            listener.finish()
            return stream
        }
        let number = listenersSoFar
        listenersSoFar += 1
        listeners[number] = listener
        listener.onTermination = { _ in
            Task { [weak self] in await self?.forget(number) }
        }
        return stream
    }

    private func read(_ native: NativeNode) {
        reading = Task { [weak self] in
            while let event = await native.nextEvent() {
                await self?.tell(event)
            }
            await self?.end()
        }
    }

    private func tell(_ event: NodeEvent) {
        listeners.values.forEach { $0.yield(event) }
    }

    private func end() {
        listeners.values.forEach { $0.finish() }
        listeners = [:]
        reading = nil
    }

    private func forget(_ number: Int) {
        listeners[number] = nil
    }

    // MARK: How it is doing

    /// How the node is doing.
    public func status() async throws(ZTError) -> NodeStatus {
        try await ask { try await $0.status() }
    }

    /// Where the node's sockets are bound; nowhere once it has stopped.
    public var bound: [Endpoint] { native?.bound() ?? [] }

    /// The port of the gateway's that leads to this node, if there is one.
    public var mappedPort: MappedPort? { native?.mappedPort() }

    /// What the node has counted since it started, what it dropped, by reason, and what has woken it, this question
    /// included; and what its tables take of memory.
    public func statistics() async throws(ZTError) -> Statistics {
        try await ask { try await $0.statistics() }
    }
}
