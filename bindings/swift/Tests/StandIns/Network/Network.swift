// What LibZTTunnel uses of Apple's framework of this name; see the one of NetworkExtension.

import Foundation

public final class NWPathMonitor: @unchecked Sendable {
    /// For tests: the monitor that was started last, and what the network is like.
    nonisolated(unsafe) public static var path = NWPath(status: .satisfied, interfaces: ["en0"])
    nonisolated(unsafe) public private(set) static var started: NWPathMonitor?

    public var pathUpdateHandler: (@Sendable (NWPath) -> Void)?

    public init() {}

    public func start(queue: DispatchQueue) {
        Self.started = self
        pathUpdateHandler?(Self.path)
    }

    public func cancel() {
        pathUpdateHandler = nil
    }
}

public struct NWPath: Equatable, Sendable {
    public enum Status: Sendable {
        case satisfied
        case unsatisfied
        case requiresConnection
    }

    public let status: Status
    public let availableInterfaces: [NWInterface]
    public let isExpensive: Bool
    public let isConstrained: Bool
    public let gateways: [NWEndpoint]

    /// For tests.
    public init(status: Status, interfaces: [String], isExpensive: Bool = false, isConstrained: Bool = false) {
        self.status = status
        self.isExpensive = isExpensive
        self.isConstrained = isConstrained
        availableInterfaces = interfaces.map { NWInterface(name: $0, type: .wifi) }
        gateways = []
    }
}

public struct NWInterface: Hashable, Sendable {
    public enum InterfaceType: Sendable {
        case other
        case wifi
        case cellular
        case wiredEthernet
        case loopback
    }

    public let name: String
    public let type: InterfaceType
}

public enum NWEndpoint: Hashable, Sendable {
    case unix(path: String)
}
