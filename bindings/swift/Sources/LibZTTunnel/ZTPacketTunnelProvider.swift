#if canImport(NetworkExtension)
    import Foundation
    import LibZT
    @preconcurrency import NetworkExtension

    /// A packet tunnel that makes the device a member of one network.
    ///
    /// It is the extension's principal class as it is, or a subclass. The application says which network in the
    /// `providerConfiguration` of its `NETunnelProviderProtocol`:
    ///
    /// | key | value |
    /// |---|---|
    /// | `network` | the network's ID, as text |
    /// | `fingerprint` | that of its controller, as text; may be left out |
    /// | `planet` | the planet, as `Data`; may be left out |
    ///
    /// To any message it answers with a ``TunnelStatus``. What a subclass decides is asked for on any thread.
    open class ZTPacketTunnelProvider: NEPacketTunnelProvider, @unchecked Sendable {
        private let running = Running()

        // MARK: What a subclass may decide

        /// The network to be a member of.
        open func network() throws -> NetworkId {
            guard let text = option("network") as? String, let network = NetworkId(text) else {
                throw ZTError(.invalidArgument, "the provider's configuration names no network")
            }
            return network
        }

        /// The fingerprint of the network's controller, if it is known.
        open func fingerprint() -> String? {
            option("fingerprint") as? String
        }

        /// How the node runs: with its state beside the extension's other files, and its secrets sealed by a key in
        /// the Keychain.
        open func config() throws -> Config {
            let support = try FileManager.default.url(
                for: .applicationSupportDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
            return try Config(
                home: support.appendingPathComponent("libzt").path,
                planet: option("planet") as? Data,
                port: 0,
                profile: .phone,
                storageKey: ZTKeychain().storageKey()
            )
        }

        /// What the user allows the network; `nil` for what was allowed last, at first no more than private addresses.
        open func settings() -> NetworkSettings? {
            nil
        }

        /// Changes what the system is told of the interface: name servers and routes of your own.
        open func prepare(_ settings: NEPacketTunnelNetworkSettings, for plan: TunPlan) {}

        /// Hears what happens.
        open func heard(_ event: NodeEvent) {}

        /// The descriptor of the interface; `nil` has packets exchanged by `packetFlow`, which copies them.
        open func descriptor() -> Int32? {
            utunDescriptor()
        }

        /// How long the network's controller may take to admit this node when the tunnel starts.
        open var patience: Duration { .seconds(50) }

        private func option(_ key: String) -> Any? {
            (protocolConfiguration as? NETunnelProviderProtocol)?.providerConfiguration?[key]
        }

        // MARK: What the system asks for

        open override func startTunnel(
            options: [String: NSObject]?,
            completionHandler: @escaping (Error?) -> Void
        ) {
            let done = Completion(call: completionHandler)
            Task {
                do {
                    try await running.start {
                        let membership = try Tunnel.Membership(
                            network: self.network(), fingerprint: self.fingerprint(), settings: self.settings(),
                            patience: self.patience)
                        return try await Tunnel.start(
                            self.config(), membership, host: ProviderHost(provider: self))
                    }
                    done.call(nil)
                } catch {
                    done.call(error)
                }
            }
        }

        open override func stopTunnel(
            with reason: NEProviderStopReason,
            completionHandler: @escaping () -> Void
        ) {
            let done = Completion(call: completionHandler)
            Task {
                await running.end()
                done.call()
            }
        }

        open override func sleep(completionHandler: @escaping () -> Void) {
            let done = Completion(call: completionHandler)
            Task {
                try? await running.tunnel?.sleep()
                done.call()
            }
        }

        open override func wake() {
            Task { try? await running.tunnel?.wake() }
        }

        open override func handleAppMessage(_ messageData: Data, completionHandler: ((Data?) -> Void)?) {
            let done = Completion(call: completionHandler)
            Task {
                let status = try? await running.tunnel?.status()
                done.call?(try? status?.answer)
            }
        }
    }

    /// What the system wants called once; on which thread is all the same to it.
    private struct Completion<Call>: @unchecked Sendable {
        let call: Call
    }

    /// What the system shows of a provider, as a tunnel needs it.
    ///
    /// It is asked by callbacks, which every version of the system's headers has in the same way.
    private struct ProviderHost: TunnelHost, @unchecked Sendable {
        /// The system keeps it as long as there is a tunnel.
        weak var provider: ZTPacketTunnelProvider?

        func establish(_ plan: TunPlan, defaultRoutes: Bool) async throws {
            guard let provider else { return }
            let settings = plan.settings(defaultRoutes: defaultRoutes)
            provider.prepare(settings, for: plan)
            try await withCheckedThrowingContinuation { (established: CheckedContinuation<Void, any Error>) in
                provider.setTunnelNetworkSettings(settings) { error in
                    if let error { established.resume(throwing: error) } else { established.resume() }
                }
            }
        }

        func descriptor() -> Int32? {
            provider?.descriptor()
        }

        func read() async -> [Data] {
            guard let provider else { return [] }
            return await withCheckedContinuation { read in
                provider.packetFlow.readPackets { packets, _ in read.resume(returning: packets) }
            }
        }

        func write(_ packets: [Data]) {
            let families = packets.map { NSNumber(value: $0.first.map { $0 >> 4 == 6 } ?? false ? AF_INET6 : AF_INET) }
            provider?.packetFlow.writePackets(packets, withProtocols: families)
        }

        func heard(_ event: NodeEvent) {
            provider?.heard(event)
        }

        func ended(_ problem: any Error) {
            provider?.cancelTunnelWithError(problem)
        }
    }

    /// What there is between the start of a tunnel and its stop, which may come before it has started.
    private actor Running {
        private(set) var tunnel: Tunnel?
        private var starting: Task<Tunnel, any Error>?
        private var watching: [Task<Void, Never>] = []

        func start(_ start: @escaping @Sendable () async throws -> Tunnel) async throws {
            let starting = Task(operation: start)
            self.starting = starting
            let tunnel = try await starting.value
            self.tunnel = tunnel
            watching = [
                Task { await PathMonitor.follow(tunnel) },
                Task { await MemoryPressure.follow { try await tunnel.trimMemory() } },
            ]
        }

        func end() async {
            starting?.cancel()
            watching.forEach { $0.cancel() }
            await (try? starting?.value)?.stop()
            (tunnel, starting, watching) = (nil, nil, [])
        }
    }
#endif
