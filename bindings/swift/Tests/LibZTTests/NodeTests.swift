import Foundation
import LibZT
import Testing

@Suite struct NodeTests {
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

            await fails(.notJoined) { try await node.network(unknown).leave() }
            await fails(.invalidNetwork) { try await node.join(NetworkId(7)) }
            await fails(.invalidArgument) { try await node.join(unknown, fingerprint: "abc") }
            await fails(.invalidDescriptor) {
                try await node.join(unknown, port: .descriptor(fd: -1, mode: .l3, framing: .plain))
            }
            await fails(.notFound) { try await node.deorbit(MoonId(7)) }
            await fails(.unknownNetwork) { try await node.allow(node.address, on: unknown) }
            await fails(.world) { try await node.orbit(file: Data([1, 2, 3])) }
            await fails(.invalidArgument) { _ = try NodeIdentity.read("no identity") }
            await fails(.world) { _ = try PlanetFile.make(roots: []) }
            var busy = await lab.config("bob")
            busy.bind = await node.bound
            await fails(.bind) { [busy] in _ = try await ZTNode.start(busy) }
            let file = await lab.config("carol")
            try Data("no directory".utf8).write(to: URL(fileURLWithPath: file.home))
            await fails(.storage) { _ = try await ZTNode.start(file) }
            do throws(ZTError) {
                try await node.allow(node.address, on: unknown)
            } catch {
                #expect(error.localizedDescription.contains(unknown.description))
                #expect(error.code.rawValue == 205)
            }

            try await node.stop()

            await fails(.stopped) { _ = try await node.peers() }
            await fails(.stopped) { try await node.join(unknown) }
            await fails(.stopped) { _ = try await node.network(unknown).configured() }
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

            #expect(try await node.wakeups().requests > 6)
            #expect(try await node.statistics().lostEvents == 0)
            #expect(await node.mappedPort == nil)
        }
    }

    @Test("Names are read as they are written, and nothing else is")
    func names() {
        #expect(NetworkId("8056C2E21C000001")?.description == "8056c2e21c000001")
        #expect(NetworkId("8056c2e21c000001")?.controller.description == "8056c2e21c")
        #expect(Mac("00:0A:ff:00:00:01")?.description == "00:0a:ff:00:00:01")
        #expect(MoonId("1")?.description == "0000000000000001")
        for wrong in ["", "8056c2e21c00000", "8056c2e21c0000011", "8056c2e21c00000g", "-056c2e21c000001", "８056c2e21c000001"] {
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
    }
}

/// Expects an error of a kind.
func fails(
    _ code: ZTError.Code,
    _ body: () async throws -> Void,
    at location: SourceLocation = #_sourceLocation
) async {
    do {
        try await body()
        Issue.record("nothing was thrown, \(code) expected", sourceLocation: location)
    } catch {
        #expect((error as? ZTError)?.code == code, "\(error)", sourceLocation: location)
    }
}
