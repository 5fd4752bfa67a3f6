// Apple's frameworks give no provider to whoever is not an extension; the stand-ins do.
#if STAND_INS
    import Foundation
    import Lab
    import LibZT
    import Network
    import NetworkExtension
    import Testing

    @testable import LibZTTunnel

    @Suite(.serialized, .timeLimit(.minutes(3))) struct ProviderTests {
        @Test("A provider makes the device a member: settings, packets both ways, status, sleep, stop")
        func membership() async throws {
            try await Lab.run { lab in
                let provider = try await admitted(lab)
                try #require(await start(provider) == nil)
                let status = try #require(await status(provider))
                let ip = String(status.addresses[0].prefix { $0 != "/" })

                let settings = try #require(provider.established.first as? NEPacketTunnelNetworkSettings)
                #expect(settings.mtu == 2800 && settings.tunnelRemoteAddress == "127.0.0.1")
                #expect(settings.ipv4Settings?.addresses == [ip])
                #expect(settings.ipv4Settings?.subnetMasks == ["255.255.255.0"])
                #expect(settings.ipv4Settings?.includedRoutes?.first?.destinationAddress == "10.1.0.0")
                #expect(settings.ipv6Settings == nil)
                #expect(settings.dnsSettings?.servers == ["10.1.0.53"], "the subclass has prepared that")

                let (bob, bobIp) = try await lab.member("bob")
                let toBob = try await bob.packets()
                let there = ipPacket(from: ip, to: bobIp, length: 100)
                let flow = Flow(provider.packetFlow)
                #expect(await arrives(there, at: toBob) { flow.flow.send(there) })
                let back = ipPacket(from: bobIp, to: ip, length: 200)
                while !flow.flow.received.contains(where: { $0.0 == back }) {
                    try await toBob.send(PacketBatch([back]))
                    try await Task.sleep(for: .milliseconds(20))
                }
                #expect(flow.flow.received.allSatisfy { $0.1.int32Value == AF_INET })

                await withCheckedContinuation { done in provider.sleep { done.resume() } }
                provider.wake()
                await stop(provider)
                #expect(provider.cancelled.isEmpty)
                #expect(await self.status(provider) == nil)
            }
        }

        @Test("The node hears what the system's network is like")
        func conditions() async throws {
            try await Lab.run { lab in
                let provider = try await admitted(lab)
                try #require(await start(provider) == nil)

                NWPathMonitor.started?.pathUpdateHandler?(NWPath(status: .unsatisfied, interfaces: []))
                while await status(provider)?.isOnline != false { try await Task.sleep(for: .milliseconds(20)) }
                NWPathMonitor.started?.pathUpdateHandler?(NWPath(status: .satisfied, interfaces: ["pdp_ip0"]))
                while await status(provider)?.isOnline != true { try await Task.sleep(for: .milliseconds(20)) }

                await stop(provider)
            }
        }

        @Test("The node gives memory back when the system is short of it, until the tunnel ends")
        func memory() async throws {
            let (trims, trimmed) = AsyncStream.makeStream(of: Void.self)
            // That of a tunnel before, which has ended.
            let before = MemoryPressureStandIn.active
            let following = Task { await MemoryPressure.follow { trimmed.yield() } }
            while MemoryPressureStandIn.active === before { try await Task.sleep(for: .milliseconds(20)) }
            MemoryPressureStandIn.active?.say(.normal)
            MemoryPressureStandIn.active?.say(.critical)
            for await _ in trims { break }
            following.cancel()
            await following.value
            let last = MemoryPressureStandIn.active
            #expect(last?.isCancelled == true)

            try await Lab.run { lab in
                let provider = try await admitted(lab)
                try #require(await start(provider) == nil)
                while MemoryPressureStandIn.active === last { try await Task.sleep(for: .milliseconds(20)) }

                MemoryPressureStandIn.active?.say(.warning)
                #expect(await status(provider)?.isAdmitted == true)
                await stop(provider)

                while MemoryPressureStandIn.active?.isCancelled != true { try await Task.sleep(for: .milliseconds(20)) }
            }
        }

        @Test("What is configured wrongly does not start, and stopping what starts ends it")
        func mistakes() async throws {
            try await Lab.run { lab in
                let nothing = Provider(await lab.config("alice"))
                #expect((await start(nothing) as? ZTError)?.code == .invalidArgument)
                await stop(nothing)

                let refused = Provider(await lab.config("alice"))
                refused.protocolConfiguration = configuration(lab)
                async let started = start(refused)
                try await Task.sleep(for: .milliseconds(300))
                await stop(refused)
                #expect(await started is CancellationError)
            }
        }

        @Test("Secrets are kept in the Keychain, and the storage key is always the same")
        func keychain() throws {
            let keychain = ZTKeychain(service: "test", accessGroup: "group")
            let key = try keychain.storageKey()

            #expect(key.count == 32)
            #expect(try keychain.storageKey() == key)
            #expect(try ZTKeychain(service: "test").secret("storage-key") == nil)
            try keychain.store(Data([1]), as: "identity")
            try keychain.store(Data([2]), as: "identity")
            #expect(try keychain.secret("identity") == Data([2]))
            try keychain.remove("identity")
            try keychain.remove("identity")
            #expect(try keychain.secret("identity") == nil)
        }

        private func admitted(_ lab: Lab) async throws -> Provider {
            var config = await lab.config("alice")
            config.storageKey = try ZTKeychain().storageKey()
            let known = try await ZTNode.start(config)
            try await lab.controller.allow(known.address, on: lab.network)
            try await known.stop()
            let provider = Provider(config)
            provider.protocolConfiguration = configuration(lab)
            return provider
        }

        private func configuration(_ lab: Lab) -> NETunnelProviderProtocol {
            let configuration = NETunnelProviderProtocol()
            configuration.providerConfiguration = ["network": lab.network.description]
            return configuration
        }

        private func start(_ provider: Provider) async -> (any Error)? {
            await withCheckedContinuation { done in
                provider.startTunnel(options: nil) { done.resume(returning: $0) }
            }
        }

        private func stop(_ provider: Provider) async {
            await withCheckedContinuation { done in
                provider.stopTunnel(with: .userInitiated) { done.resume() }
            }
        }

        private func status(_ provider: Provider) async -> TunnelStatus? {
            let answer = await withCheckedContinuation { done in
                provider.handleAppMessage(Data()) { done.resume(returning: $0) }
            }
            return answer.flatMap { try? TunnelStatus(answer: $0) }
        }
    }

    private final class Provider: ZTPacketTunnelProvider, @unchecked Sendable {
        private let inLab: Config

        init(_ config: Config) {
            inLab = config
        }

        override func config() throws -> Config {
            var config = inLab
            config.storageKey = try super.config().storageKey
            return config
        }

        override func prepare(_ settings: NEPacketTunnelNetworkSettings, for plan: TunPlan) {
            settings.dnsSettings = NEDNSSettings(servers: ["10.1.0.53"])
        }
    }

    private struct Flow: @unchecked Sendable {
        let flow: NEPacketTunnelFlow

        init(_ flow: NEPacketTunnelFlow) {
            self.flow = flow
        }
    }
#endif
