import Foundation
import LibZT

/// How a tunnel is doing: what ``ZTPacketTunnelProvider`` answers to any message of the application.
public struct TunnelStatus: Codable, Hashable, Sendable {
    /// This node, whom the network's controller has to admit.
    public var address: Address
    /// Whether a root answers.
    public var isOnline: Bool
    /// Which network.
    public var network: NetworkId
    /// Its name, empty while unknown.
    public var name: String
    /// Whether the controller has admitted this node.
    public var isAdmitted: Bool
    /// This node's addresses on it, as `10.1.0.7/24`.
    public var addresses: [String]

    init(_ node: NodeStatus, _ network: NetworkStatus) {
        address = node.address
        isOnline = node.online
        self.network = network.id
        name = network.name
        isAdmitted = network.standing == .ok
        addresses = network.addresses.map { "\($0.address)/\($0.bits)" }
    }

    /// Reads an answer.
    public init(answer: Data) throws {
        self = try JSONDecoder().decode(TunnelStatus.self, from: answer)
    }

    var answer: Data {
        get throws { try JSONEncoder().encode(self) }
    }
}
