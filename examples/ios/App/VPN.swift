import Foundation
import LibZT
import LibZTTunnel
@preconcurrency import NetworkExtension

/// The tunnel of this application, as the system knows it.
@MainActor
final class VPN {
    private var manager: NETunnelProviderManager?

    /// How it is called in the system's settings.
    private static let name = "libzt example"

    /// The extension; the same as in `project.yml`.
    private static let extensionIdentifier = "org.libzt.example.tunnel"

    /// Joins a network. The first time, the system asks the user whether the application may.
    func connect(to network: NetworkId) async throws {
        let manager = try await NETunnelProviderManager.loadAllFromPreferences().first ?? NETunnelProviderManager()
        let configuration = NETunnelProviderProtocol()
        configuration.providerBundleIdentifier = Self.extensionIdentifier
        // The system wants to be told of one far end, and shows it.
        configuration.serverAddress = network.description
        configuration.providerConfiguration = ["network": network.description]
        manager.protocolConfiguration = configuration
        manager.localizedDescription = Self.name
        manager.isEnabled = true
        try await manager.saveToPreferences()
        // What was saved can be started only after it was read.
        try await manager.loadFromPreferences()
        try manager.connection.startVPNTunnel()
        self.manager = manager
    }

    /// Leaves it for now.
    func disconnect() {
        manager?.connection.stopVPNTunnel()
    }

    /// What the extension says; `nil` while it does not run.
    func status() async -> TunnelStatus? {
        guard let session = manager?.connection as? NETunnelProviderSession else { return nil }
        let answer: Data? = await withCheckedContinuation { answered in
            do {
                try session.sendProviderMessage(Data()) { answered.resume(returning: $0) }
            } catch {
                answered.resume(returning: nil)
            }
        }
        return answer.flatMap { try? TunnelStatus(answer: $0) }
    }
}
