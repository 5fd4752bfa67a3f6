// What LibZTTunnel and the example use of Apple's framework of this name, so that they can be compiled, and run as
// far as that goes, where there is none. The declarations are as Swift sees Apple's headers; what they do is made up.

import Foundation

open class NEProvider: NSObject {
    open func sleep(completionHandler: @escaping () -> Void) { completionHandler() }
    open func wake() {}
}

open class NETunnelProvider: NEProvider {
    open var protocolConfiguration = NEVPNProtocol()
    open var reasserting = false

    open func handleAppMessage(_ messageData: Data, completionHandler: ((Data?) -> Void)?) {
        completionHandler?(nil)
    }

    open func setTunnelNetworkSettings(
        _ tunnelNetworkSettings: NETunnelNetworkSettings?,
        completionHandler: (((any Error)?) -> Void)? = nil
    ) {
        established.append(tunnelNetworkSettings)
        completionHandler?(nil)
    }

    /// For tests: what was asked for.
    public var established: [NETunnelNetworkSettings?] = []
}

open class NEPacketTunnelProvider: NETunnelProvider {
    open var packetFlow = NEPacketTunnelFlow()

    open func startTunnel(options: [String: NSObject]?, completionHandler: @escaping ((any Error)?) -> Void) {
        completionHandler(nil)
    }

    open func stopTunnel(with reason: NEProviderStopReason, completionHandler: @escaping () -> Void) {
        completionHandler()
    }

    open func cancelTunnelWithError(_ error: (any Error)?) {
        cancelled.append(error)
    }

    /// For tests: why it has ended.
    public var cancelled: [(any Error)?] = []
}

open class NEPacketTunnelFlow: NSObject {
    private let lock = NSLock()
    private var fromSystem: [Data] = []
    private var reader: (([Data], [NSNumber]) -> Void)?
    private var written: [(Data, NSNumber)] = []

    open func readPackets(completionHandler: @escaping ([Data], [NSNumber]) -> Void) {
        lock.withLock { reader = completionHandler }
        handOut()
    }

    @discardableResult
    open func writePackets(_ packets: [Data], withProtocols protocols: [NSNumber]) -> Bool {
        lock.withLock { written += zip(packets, protocols) }
        return packets.count == protocols.count
    }

    /// For tests: programs of the device send a packet.
    public func send(_ packet: Data) {
        lock.withLock { fromSystem.append(packet) }
        handOut()
    }

    /// For tests: what was written so far.
    public var received: [(Data, NSNumber)] { lock.withLock { written } }

    private func handOut() {
        lock.lock()
        let (packets, waiting) = (fromSystem, reader)
        if !packets.isEmpty && waiting != nil { (fromSystem, reader) = ([], nil) }
        lock.unlock()
        if !packets.isEmpty { waiting?(packets, packets.map { _ in NSNumber(value: AF_INET) }) }
    }
}

public enum NEProviderStopReason: Int, Sendable {
    case none = 0
    case userInitiated = 1
}

open class NETunnelNetworkSettings: NSObject {
    public init(tunnelRemoteAddress address: String) {
        tunnelRemoteAddress = address
    }

    open var tunnelRemoteAddress: String
    open var dnsSettings: NEDNSSettings?
}

open class NEPacketTunnelNetworkSettings: NETunnelNetworkSettings {
    open var ipv4Settings: NEIPv4Settings?
    open var ipv6Settings: NEIPv6Settings?
    open var mtu: NSNumber?
}

open class NEIPv4Settings: NSObject {
    public init(addresses: [String], subnetMasks: [String]) {
        (self.addresses, self.subnetMasks) = (addresses, subnetMasks)
    }

    open var addresses: [String]
    open var subnetMasks: [String]
    open var includedRoutes: [NEIPv4Route]?
}

open class NEIPv4Route: NSObject {
    public init(destinationAddress address: String, subnetMask: String) {
        (destinationAddress, destinationSubnetMask) = (address, subnetMask)
    }

    open var destinationAddress: String
    open var destinationSubnetMask: String
    open var gatewayAddress: String?
}

open class NEIPv6Settings: NSObject {
    public init(addresses: [String], networkPrefixLengths: [NSNumber]) {
        (self.addresses, self.networkPrefixLengths) = (addresses, networkPrefixLengths)
    }

    open var addresses: [String]
    open var networkPrefixLengths: [NSNumber]
    open var includedRoutes: [NEIPv6Route]?
}

open class NEIPv6Route: NSObject {
    public init(destinationAddress address: String, networkPrefixLength: NSNumber) {
        (destinationAddress, destinationNetworkPrefixLength) = (address, networkPrefixLength)
    }

    open var destinationAddress: String
    open var destinationNetworkPrefixLength: NSNumber
    open var gatewayAddress: String?
}

open class NEDNSSettings: NSObject {
    public init(servers: [String]) {
        self.servers = servers
    }

    open var servers: [String]
    open var matchDomains: [String]?
    open var searchDomains: [String]?
}

// What applications use.

open class NEVPNProtocol: NSObject {
    open var serverAddress: String?
}

open class NETunnelProviderProtocol: NEVPNProtocol {
    open var providerConfiguration: [String: Any]?
    open var providerBundleIdentifier: String?
}

open class NEVPNManager: NSObject {
    open var protocolConfiguration: NEVPNProtocol?
    open var localizedDescription: String?
    open var isEnabled = false
    open var connection: NEVPNConnection { NETunnelProviderSession() }

    open func loadFromPreferences() async throws {}
    open func saveToPreferences() async throws {}
}

open class NETunnelProviderManager: NEVPNManager {
    open class func loadAllFromPreferences() async throws -> [NETunnelProviderManager] { [] }
}

open class NEVPNConnection: NSObject {
    open var status: NEVPNStatus { .invalid }
    open func startVPNTunnel() throws {}
    open func stopVPNTunnel() {}
}

open class NETunnelProviderSession: NEVPNConnection {
    open func sendProviderMessage(_ messageData: Data, responseHandler: ((Data?) -> Void)? = nil) throws {}
}

public enum NEVPNStatus: Int, Sendable {
    case invalid = 0
    case disconnected = 1
    case connecting = 2
    case connected = 3
    case reasserting = 4
    case disconnecting = 5
}
