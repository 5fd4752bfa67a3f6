#if canImport(Network)
    import Foundation
    import LibZT
    import Network

    /// Tells when the network under the tunnel changes, so that the node looks for its peers anew at once and not
    /// when it misses them.
    enum PathMonitor {
        /// What is known of the network, as far as a node can notice.
        struct State: Equatable, Sendable {
            var conditions: Conditions
            /// What the way out is, by name: another one is another network.
            var interfaces: [String]
            var gateways: [String]
        }

        /// Tells `tunnel` of it until the task is cancelled or the tunnel has ended.
        static func follow(_ tunnel: Tunnel) async {
            var last: State?
            for await state in states() where state != last {
                let isElsewhere = last.map { state.isElsewhere(than: $0) } ?? false
                last = state
                do {
                    try await tunnel.conditionsChanged(state.conditions, networkChanged: isElsewhere)
                } catch {
                    return
                }
            }
        }

        /// How things are, and how they are then.
        private static func states() -> AsyncStream<State> {
            AsyncStream { continuation in
                let monitor = NWPathMonitor()
                monitor.pathUpdateHandler = { path in continuation.yield(State(path)) }
                continuation.onTermination = { _ in monitor.cancel() }
                monitor.start(queue: DispatchQueue(label: "org.libzt.path"))
            }
        }
    }

    extension PathMonitor.State {
        init(_ path: NWPath) {
            // What is constrained is so by the user, who wants less traffic: the same as if it were dear.
            conditions = Conditions(
                metered: path.isConstrained, expensive: path.isExpensive, offline: path.status != .satisfied)
            // The tunnel's own interface is of no kind that has a name.
            interfaces = path.availableInterfaces.filter { $0.type != .other }.map(\.name)
            gateways = path.gateways.map { "\($0)" }
        }

        /// Whether this is another network than `old`, and not only the same at another price.
        func isElsewhere(than old: PathMonitor.State) -> Bool {
            interfaces != old.interfaces || gateways != old.gateways
        }
    }
#endif
