import Foundation
import Lab
import LibZT
import Testing

@Suite(.timeLimit(.minutes(3))) struct NodeTests {
    @Test("Two streams of events give the same, and both end with the node")
    func events() async throws {
        try await Lab.run { lab in
            let node = try await lab.node("alice")
            let streams = [await node.events(), await node.events()]
            let refused = await node.events()
            try await node.join(lab.network)
            for await case .network(let status) in refused where status.standing == .accessDenied { break }

            try await node.stop()

            var seen: [[NodeEvent]] = []
            for stream in streams {
                seen.append(await stream.reduce(into: []) { $0.append($1) })
            }
            #expect(seen[0] == seen[1])
            #expect(seen[0].contains { if case .network(let it) = $0 { it.standing == .accessDenied } else { false } })
            for await event in await node.events() { Issue.record("\(event) after the end") }
        }
    }

    @Test("A node keeps its address, and stopping it twice, or twice at once, is nothing special")
    func stopping() async throws {
        try await Lab.run { lab in
            let first = try await lab.node("alice")
            async let one: Void = first.stop()
            async let other: Void = first.stop()
            _ = try await (one, other)
            try await first.stop()

            let second = try await lab.node("alice")

            #expect(first.address == second.address)
            #expect(await first.bound.isEmpty)
            #expect(await !second.bound.isEmpty)
        }
    }

    @Test("A node that is forgotten stops, and gives its home back")
    func forgetting() async throws {
        try await Lab.run { lab in
            var config = await lab.config("alice")
            config.bind = ["127.0.0.1:0"]
            var forgotten: ZTNode? = try await ZTNode.start(config)
            config.bind = await forgotten?.bound ?? []
            forgotten = nil

            // It takes a moment, and nobody says when.
            var again: ZTNode?
            for _ in 0..<600 where again == nil {
                again = try? await ZTNode.start(config)
                if again == nil { try await Task.sleep(for: .milliseconds(100)) }
            }

            #expect(again != nil)
            try await again?.stop()
        }
    }

    @Test("What is wrong is said by the kind of error")
    func errors() async throws {
        try await Lab.run { lab in
            let node = try await lab.node("alice")
            let unknown = try #require(NetworkId("8056c2e21c000001"))

            #expect(await failure { try await node.network(unknown).leave() } == .notJoined)
            #expect(await failure { try await node.join(NetworkId(7)) } == .invalidNetwork)
            #expect(await failure { try await node.join(unknown, fingerprint: "abc") } == .invalidArgument)
            #expect(
                await failure {
                    try await node.join(unknown, port: .descriptor(fd: -1, mode: .l3, framing: .plain))
                } == .invalidDescriptor)
            #expect(await failure { try await node.deorbit(MoonId(7)) } == .notFound)
            #expect(await failure { try await node.allow(node.address, on: unknown) } == .unknownNetwork)
            #expect(await failure { try await node.orbit(file: Data([1, 2, 3])) } == .world)
            #expect(await failure { _ = try NodeIdentity.read("no identity") } == .invalidArgument)
            #expect(await failure { _ = try PlanetFile.make(roots: []) } == .world)
            var busy = await lab.config("bob")
            busy.bind = await node.bound
            #expect(await failure { [busy] in _ = try await ZTNode.start(busy) } == .bind)
            let file = await lab.config("carol")
            try Data("no directory".utf8).write(to: URL(fileURLWithPath: file.home))
            #expect(await failure { _ = try await ZTNode.start(file) } == .storage)
            do throws(ZTError) {
                try await node.allow(node.address, on: unknown)
            } catch {
                #expect(error.localizedDescription.contains(unknown.description))
                #expect(error.code.rawValue == 205)
            }

            try await node.stop()

            #expect(await failure { _ = try await node.peers() } == .stopped)
            #expect(await failure { try await node.join(unknown) } == .stopped)
            #expect(await failure { _ = try await node.network(unknown).configured() } == .stopped)
        }
    }

    @Test("What the host knows is taken, and costs wake-ups that are counted")
    func hints() async throws {
        try await Lab.run { lab in
            let (network, _) = try await lab.member("alice")
            let node = network.node

            try await node.setConditions(Conditions(metered: true))
            try await node.networkChanged()
            try await node.sleep()
            try await node.wake()
            try await node.bindToInterface("lo")
            #expect(await !node.bound.isEmpty)
            try await node.bindToInterface(nil)
            try await node.setConditions(Conditions(offline: true))
            var events = await node.events().makeAsyncIterator()
            while try await node.status().online { _ = await events.next() }
            try await node.setConditions(Conditions())
            while try await !node.status().online { _ = await events.next() }

            let statistics = try await node.statistics()
            #expect(statistics.wakeups.requests > 6)
            #expect(statistics.wakeups.timers.contains { $0.reason == "peer_probe" && $0.count > 0 })
            #expect(statistics.lostEvents == 0)
            #expect(await node.mappedPort == nil)
        }
    }

    @Test("A network whose controller has another fingerprint stands so until that is taken back")
    func wrongFingerprint() async throws {
        try await Lab.run { lab in
            let node = try await lab.node("alice")
            let events = await node.events()
            try await node.join(lab.network, fingerprint: String(repeating: "7", count: 96))
            for await case .network(let status) in events where status.standing == .identityConflict { break }

            let admitting = await node.events()
            try await node.unpin(lab.network.controller)
            for await case .network(let status) in admitting where status.standing == .accessDenied { break }
        }
    }

    @Test("Memory is bounded as asked for, and given back")
    func memory() async throws {
        try await Lab.run { lab in
            var config = await lab.config("alice")
            config.profile = .phone
            let phone = try await ZTNode.start(config)
            let memory = try await phone.statistics().memory
            #expect(memory.budget == 16 << 20)
            #expect((1...memory.total).contains(memory.peers))
            try await phone.trimMemory()
            try await phone.stop()

            config.memoryBudget = (4 << 20) - 1
            #expect(await failure { [config] in _ = try await ZTNode.start(config) } == .invalidArgument)
        }
    }

    @Test("local.conf is read again, and counts unless it is unclear what to avoid")
    func localConf() async throws {
        try await Lab.run { lab in
            let node = try await lab.node("alice")
            let conf = URL(fileURLWithPath: await lab.config("alice").home).appendingPathComponent("local.conf")

            let trust = #"{"physical": {"10.20.0.0/16": {"trustedPathId": 7}}, "settings": {"primaryPort": 1000}}"#
            try Data(trust.utf8).write(to: conf)
            try await node.reloadLocalConf()
            #expect(try await node.status().trustedPaths.map(\.id) == [7])

            try Data(#"{"physical": {"10.1.0.0/99": {"blacklist": true}}}"#.utf8).write(to: conf)
            #expect(await failure { try await node.reloadLocalConf() } == .corruptState)
            #expect(try await node.status().trustedPaths.map(\.id) == [7])
        }
    }

    @Test("Sockets are shown to the host before they are used, and one it refuses is not used")
    func protection() async throws {
        try await Lab.run { lab in
            let seen = Seen()
            let node = try await ZTNode.start(await lab.config("alice"), hooks: Hooks(protector: seen))
            #expect(seen.sockets >= 1)
            let before = seen.sockets
            try await node.setProtector(seen)
            #expect(seen.sockets > before)
            try await node.stop()

            seen.refuses = true
            let config = await lab.config("bob")
            #expect(await failure { _ = try await ZTNode.start(config, hooks: Hooks(protector: seen)) } == .bind)
        }
    }

    @Test("Names are read as they are written, and nothing else is")
    func names() {
        #expect(NetworkId("8056C2E21C000001")?.description == "8056c2e21c000001")
        #expect(NetworkId("8056c2e21c000001")?.controller.description == "8056c2e21c")
        #expect(Mac("00:0A:ff:00:00:01")?.description == "00:0a:ff:00:00:01")
        #expect(MoonId("1")?.description == "0000000000000001")
        for wrong in [
            "", "8056c2e21c00000", "8056c2e21c0000011", "8056c2e21c00000g", "-056c2e21c000001", "８056c2e21c000001",
        ] {
            #expect(NetworkId(wrong) == nil, "\(wrong)")
        }
        #expect(MoonId("") == nil)
        #expect(Mac("00:0a:ff:00:00") == nil && Mac("000a:ff:00:00:01:") == nil)
    }

    @Test("An identity is read as it was made, and shows no secret")
    func identities() throws {
        let made = try NodeIdentity.generate()
        let secret = try #require(made.secret)

        #expect(try NodeIdentity.read(secret) == made)
        #expect(try NodeIdentity.read(made.public).secret == nil)
        var config = Config(home: "h", profile: .phone)
        config.identity = secret
        for text in ["\(made)", String(reflecting: made), "\(config)", String(reflecting: config)] {
            #expect(!text.contains(secret))
        }
        var dumped = ""
        dump(made, to: &dumped)
        #expect(!dumped.contains(secret) && dumped.contains(made.address.description))
    }
}

/// Sees sockets, and counts them.
private final class Seen: SocketProtector, @unchecked Sendable {
    private let lock = NSLock()
    private var count = 0
    private var isRefusing = false

    var sockets: Int { lock.withLock { count } }

    var refuses: Bool {
        get { lock.withLock { isRefusing } }
        set { lock.withLock { isRefusing = newValue } }
    }

    func protect(fd: Int32) -> Bool {
        lock.withLock {
            count += fd >= 0 ? 1 : 0
            return !isRefusing
        }
    }
}
