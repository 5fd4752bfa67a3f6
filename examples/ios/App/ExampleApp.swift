import LibZT
import LibZTTunnel
import SwiftUI

@main
struct ExampleApp: App {
    var body: some Scene {
        WindowGroup { NetworkView() }
    }
}

/// One network to join, and how that stands.
struct NetworkView: View {
    @AppStorage("network") private var network = ""
    @State private var vpn = VPN()
    @State private var status: TunnelStatus?
    @State private var problem: String?

    var body: some View {
        Form {
            Section("Network") {
                TextField("16 hexadecimal digits", text: $network)
                    .autocorrectionDisabled()
                Button("Connect", action: connect)
                    .disabled(NetworkId(network) == nil)
                Button("Disconnect") { vpn.disconnect() }
            }
            Section("Status") {
                if let status {
                    LabeledContent("This device", value: status.address.description)
                    LabeledContent("Roots answer", value: status.isOnline ? "yes" : "no")
                    LabeledContent("Admitted", value: status.isAdmitted ? "yes" : "not yet")
                    ForEach(status.addresses, id: \.self) { LabeledContent("Address", value: $0) }
                } else {
                    Text("not connected")
                }
                if let problem { Text(problem).foregroundStyle(.red) }
            }
        }
        .task {
            while !Task.isCancelled {
                status = await vpn.status()
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func connect() {
        guard let id = NetworkId(network) else { return }
        Task {
            do {
                try await vpn.connect(to: id)
                problem = nil
            } catch {
                problem = error.localizedDescription
            }
        }
    }
}
