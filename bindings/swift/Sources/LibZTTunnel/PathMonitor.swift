#if canImport(Network)
    import Foundation
    import LibZT
    import Network

    /// Tells when the network under the tunnel changes, so that the node looks for its peers anew at once and not
    /// when it misses them.
    struct PathMonitor: Sendable {
        /// What is known of the network, as far as a node can notice.
        struct State: Equatable, Sendable {
            var conditions: Conditions
            /// What the way out is, by name: another one is another network.
            var interfaces: [String]
            var gateways: [String]
        }

        /// What there is, first how it is and then each time it is something else, until the task is cancelled.
        static func states() -> AsyncStream<State> {
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
