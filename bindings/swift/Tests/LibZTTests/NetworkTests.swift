import Foundation
import Lab
import LibZT
import Testing

@Suite(.timeLimit(.minutes(3))) struct NetworkTests {
    @Test("A member is admitted, told what to do, and may leave; one that was denied is not let in again")
    func membership() async throws {
        try await Lab.run { lab in
            let (network, ip) = try await lab.member("alice")
            let node = network.node

            let plan = try await network.plan()
            #expect(plan.addresses == [Prefix(address: ip, bits: 24)])
            #expect(plan.change(from: plan) == .nothing)
            var other = plan
            other.mtu = 1400
            #expect(plan.change(from: other) == .reestablish)
            #expect(try await node.networks().map(\.id) == [lab.network])
            #expect(try await node.memberships() == [lab.network])

            try await network.leave()
            #expect(await failure { _ = try await network.status() } == .notJoined)
            #expect(try await node.networks().isEmpty)

            try await lab.controller.deny(node.address, on: lab.network)
            let events = await node.events()
            try await node.join(lab.network)
            for await case .network(let status) in events where status.standing == .accessDenied { break }
        }
    }

    @Test("Settings are kept, and change the plan")
    func settings() async throws {
        try await Lab.run { lab in
            let (network, _) = try await lab.member("alice")
            var settings = try await network.settings()
            #expect(settings == NetworkSettings())

            settings.managed = false
            try await network.setSettings(settings)

            #expect(try await network.settings() == settings)
            #expect(try await network.plan().addresses.isEmpty)
        }
    }

    @Test("Who waits for a network gives up when it is told to, or at the end")
    func waiting() async throws {
        try await Lab.run { lab in
            let node = try await lab.node("alice")
            let network = try await node.join(lab.network)

            #expect(await failure { _ = try await network.configured(within: .milliseconds(50)) } == .timeout)
            let cancelled = Task { try await network.configured() }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            let left = Task { try await network.configured() }
            let stopped = Task { try await network.configured() }
            // Both have to be at it; they are when they listen, of which nothing is seen.
            try await Task.sleep(for: .milliseconds(200))
            try await network.leave()
            #expect(await failure { _ = try await left.value } == .notJoined)
            #expect(await failure { _ = try await stopped.value } == .notJoined)
        }
    }

    @Test("Peers, roots, pins and rules are told of")
    func peersAndTrust() async throws {
        try await Lab.run { lab in
            let (network, ip) = try await lab.member("alice")
            let node = network.node
            let controller = lab.controller.address

            let peers = try await node.peers()
            #expect(peers.contains { $0.address == controller })
            #expect(peers.contains { $0.role == .planet && $0.path != nil })
            let why = try #require(try await node.explain(controller))
            #expect(why.address == controller)
            #expect(try await node.explain(Address("0123456789")!) == nil)
            #expect(try await node.worlds().planet.roots.map(\.contact) == [.answers])
            #expect(try await node.status().online)

            let fingerprint = try #require(try await node.fingerprint(of: controller))
            try await node.pin(controller, to: fingerprint)
            try await node.requirePinned(true)
            let pins = try await node.pins()
            #expect(pins.required && pins.pinned == [Pin(address: controller, fingerprint: fingerprint)])
            try await node.unpin(controller)
            #expect(try await node.fingerprint() != nil)

            let verdict = try await network.wouldAllow(
                ipPacket(from: ip, to: "10.1.0.98", length: 60), .outbound, peer: controller)
            #expect(verdict.passes)
        }
    }
}
