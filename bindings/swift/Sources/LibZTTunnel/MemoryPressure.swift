#if canImport(NetworkExtension)
    import Dispatch
    import NetworkExtension

    /// Tells when the device is short of memory: the system ends an extension that takes too much, and its VPN with it.
    enum MemoryPressure {
        /// Has `trim` done whenever the system says so, until the task is cancelled or it fails.
        static func follow(_ trim: @Sendable () async throws -> Void) async {
            for await _ in warnings() {
                do { try await trim() } catch { return }
            }
        }

        /// An element for each time the system says so; those that come while the last is dealt with are one.
        private static func warnings() -> AsyncStream<Void> {
            AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
                let queue = DispatchQueue(label: "org.libzt.memory")
                let events = DispatchSource.makeMemoryPressureSource(eventMask: [.warning, .critical], queue: queue)
                let source = Source(events: events)
                events.setEventHandler { continuation.yield() }
                continuation.onTermination = { _ in source.events.cancel() }
                events.activate()
            }
        }
    }

    /// What may be cancelled on any thread.
    private struct Source: @unchecked Sendable {
        let events: any DispatchSourceMemoryPressure
    }
#endif
