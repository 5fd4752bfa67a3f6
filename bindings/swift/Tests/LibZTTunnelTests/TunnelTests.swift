import Foundation
import Lab
import LibZT
import Testing

@testable import LibZTTunnel

@Suite(.timeLimit(.minutes(3))) struct TunnelTests {
    @Test("Packets of the system pass by the interface's descriptor")
    func descriptor() async throws {
        try await Lab.run { lab in
            let interface = try Interface()
            let host = FakeHost(interface)
            let tunnel = try await start(lab, host)
            let status = try await tunnel.status()
            let (bob, bobIp) = try await lab.member("bob")
            let packet = ipPacket(from: ip(status), to: bobIp, length: 100)

            let toBob = try await bob.packets()
            #expect(await arrives(packet, at: toBob) { interface.send(packet) })

            #expect(status.isAdmitted && status.isOnline && status.name == "lab")
            #expect(try TunnelStatus(answer: status.answer) == status)
            #expect(host.plans.map(\.addresses) == [[Prefix(address: ip(status), bits: 24)]])
            await tunnel.stop()
            #expect(await failure { _ = try await tunnel.status() } == .stopped)
            #expect(host.problems.isEmpty)
        }
    }

    @Test("Without a descriptor they pass in batches, both ways")
    func bridge() async throws {
        try await Lab.run { lab in
            let host = FakeHost()
            let tunnel = try await start(lab, host)
            let ip = ip(try await tunnel.status())
            let (bob, bobIp) = try await lab.member("bob")
            let (there, back) = (
                ipPacket(from: ip, to: bobIp, length: 100), ipPacket(from: bobIp, to: ip, length: 200)
            )

            let toBob = try await bob.packets()
            #expect(await arrives(there, at: toBob) { host.send(there) })
            while !host.written.contains(back) {
                try await toBob.send(PacketBatch([back]))
                try await Task.sleep(for: .milliseconds(20))
            }

            await tunnel.stop()
        }
    }

    @Test("A tunnel that is not admitted in time does not start, and leaves no node behind")
    func refusal() async throws {
        try await Lab.run { lab in
            let (config, host) = (await lab.config("alice"), FakeHost())

            #expect(
                await failure {
                    _ = try await Tunnel.start(
                        config, Tunnel.Membership(network: lab.network, patience: .milliseconds(100)), host: host)
                } == .timeout)

            #expect(host.plans.isEmpty)
            let again = try await ZTNode.start(config)
            try await again.stop()
        }
    }

    @Test("A change of the plan is carried out, and told")
    func changes() async throws {
        try await Lab.run { lab in
            let host = FakeHost()
            let tunnel = try await start(lab, host)
            let network = tunnel.network

            try await network.setSettings(NetworkSettings(managed: false))
            while host.plans.count < 2 { try await Task.sleep(for: .milliseconds(20)) }
            try await tunnel.sleep()
            try await tunnel.wake()
            try await tunnel.trimMemory()

            #expect(host.plans[1].addresses.isEmpty)
            #expect(host.events.contains { if case .plan = $0 { true } else { false } })
            await tunnel.stop()
        }
    }

    @Test("A default route is there only while a root answers")
    func defaultRoutes() async throws {
        try await Lab.run { lab in
            let exit = HostedNetwork(
                name: "exit", private: false, pools: ["10.2.0.1-10.2.0.99"],
                routes: [Route(target: "10.2.0.0", bits: 24), Route(target: "0.0.0.0", bits: 0, via: "10.2.0.98")])
            let membership = Tunnel.Membership(
                network: try await lab.controller.createNetwork(exit),
                settings: NetworkSettings(global: true, defaultRoute: true), patience: patience)
            let host = FakeHost()
            let tunnel = try await Tunnel.start(await lab.config("alice"), membership, host: host)
            #expect(host.defaultRoutes == [true])

            try await tunnel.conditionsChanged(Conditions(offline: true), networkChanged: true)
            while host.defaultRoutes.count < 2 { try await Task.sleep(for: .milliseconds(20)) }
            try await tunnel.conditionsChanged(Conditions(), networkChanged: true)
            while host.defaultRoutes.count < 3 { try await Task.sleep(for: .milliseconds(20)) }

            #expect(host.defaultRoutes == [true, false, true])
            await tunnel.stop()
            #expect(host.problems.isEmpty)
        }
    }

    @Test("Prefixes are told as the system wants them")
    func prefixes() {
        #expect(
            [0, 1, 8, 23, 32].map { subnetMask(bits: $0) } == [
                "0.0.0.0", "128.0.0.0", "255.0.0.0", "255.255.254.0", "255.255.255.255",
            ])
        #expect(Prefix(address: "10.1.3.7", bits: 23).network.address == "10.1.2.0")
        #expect(Prefix(address: "fd00::1234:5678", bits: 112).network.address == "fd00::1234:0")
        #expect(utunDescriptor() == nil)
    }

    private func start(_ lab: Lab, _ host: FakeHost) async throws -> Tunnel {
        let config = await lab.config("alice")
        // What is not there yet is not known by its address, so it is made to have one.
        let known = try await ZTNode.start(config)
        try await lab.controller.allow(known.address, on: lab.network)
        try await known.stop()
        return try await Tunnel.start(config, Tunnel.Membership(network: lab.network, patience: patience), host: host)
    }
}

/// An interface of nobody's.
private final class FakeHost: TunnelHost, @unchecked Sendable {
    private let lock = NSLock()
    private let interface: Interface?
    private var told = (plans: [TunPlan](), defaultRoutes: [Bool](), events: [NodeEvent](), problems: [any Error]())
    private var toSystem: [Data] = []
    private let (packets, sending) = AsyncStream.makeStream(of: [Data].self)

    init(_ interface: Interface? = nil) {
        self.interface = interface
    }

    var plans: [TunPlan] { lock.withLock { told.plans } }
    var defaultRoutes: [Bool] { lock.withLock { told.defaultRoutes } }
    var events: [NodeEvent] { lock.withLock { told.events } }
    var problems: [any Error] { lock.withLock { told.problems } }
    var written: [Data] { lock.withLock { toSystem } }

    func send(_ packet: Data) { sending.yield([packet]) }

    func establish(_ plan: TunPlan, defaultRoutes: Bool) {
        lock.withLock {
            told.plans.append(plan)
            told.defaultRoutes.append(defaultRoutes)
        }
    }

    func descriptor() -> Int32? { interface?.descriptor }
    func read() async -> [Data] { await packets.first { _ in true } ?? [] }
    func write(_ packets: [Data]) { lock.withLock { toSystem += packets } }
    func heard(_ event: NodeEvent) { lock.withLock { told.events.append(event) } }
    func ended(_ problem: any Error) { lock.withLock { told.problems.append(problem) } }
}

/// The address a tunnel has on its network.
func ip(_ status: TunnelStatus) -> IpAddress {
    String(status.addresses[0].prefix { $0 != "/" })
}
