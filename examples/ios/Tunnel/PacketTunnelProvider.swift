import Foundation
import LibZT
import LibZTTunnel

/// The extension's principal class. `ZTPacketTunnelProvider` would do as it is; this one also allows the network to set
/// name servers, and says in the log what happens.
final class PacketTunnelProvider: ZTPacketTunnelProvider, @unchecked Sendable {
    override func settings() -> NetworkSettings? {
        NetworkSettings(dns: true)
    }

    override func heard(_ event: NodeEvent) {
        NSLog("libzt: %@", "\(event)")
    }
}
