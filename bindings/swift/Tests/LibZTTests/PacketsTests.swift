import Foundation
import Lab
import LibZT
import Testing

@Suite(.timeLimit(.minutes(3))) struct PacketsTests {
    @Test("A batch gives back what was put in")
    func batches() {
        let packets = [Data([1, 2, 3]), Data(), Data([4])]
        var batch = PacketBatch(packets)

        #expect(Array(batch) == packets)
        #expect((batch.count, batch.byteCount) == (3, 4))
        var lengths: [Int] = []
        batch.forEachUnsafe { lengths.append($0.count) }
        #expect(lengths == [3, 0, 1])
        batch.removeAll()
        batch.append([9, 9] as [UInt8])
        #expect(Array(batch) == [Data([9, 9])])
    }

    @Test("Ten megabytes of packets pass between two nodes, each way")
    func bulk() async throws {
        try await Lab.run { lab in
            let (alice, aliceIp) = try await lab.member("alice")
            let (bob, bobIp) = try await lab.member("bob")
            let (toAlice, toBob) = (try await alice.packets(), try await bob.packets())
            let first = ipPacket(from: aliceIp, to: bobIp, length: 100)
            #expect(await arrives(first, at: toBob) { try await toAlice.send(PacketBatch([first])) })

            try await pass(
                10 * 1024 * 1024, from: toAlice, to: toBob, packet: ipPacket(from: aliceIp, to: bobIp, length: 1400))
            try await pass(
                10 * 1024 * 1024, from: toBob, to: toAlice, packet: ipPacket(from: bobIp, to: aliceIp, length: 2800))
        }
    }

    @Test("Packets end when they are closed, opened again, left, or their task is cancelled")
    func ends() async throws {
        try await Lab.run { lab in
            let (network, ip) = try await lab.member("alice")
            let packet = PacketBatch([ipPacket(from: ip, to: "10.1.0.98", length: 60)])
            let closed = try await network.packets()
            let reading = Task { for await _ in closed {} }
            closed.close()
            await reading.value
            #expect(await failure { try await closed.send(packet) } == .stopped)
            #expect(await failure { _ = try closed.trySend(packet) } == .stopped)

            let first = try await network.packets()
            let second = try await network.packets()
            for await _ in first {}
            let cancelled = Task {
                var batch = PacketBatch()
                try await second.receive(into: &batch)
            }
            try await Task.sleep(for: .milliseconds(50))
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            // That was the task's end, not the packets'.
            #expect(try second.trySend(packet) == 1)

            try await network.leave()
            for await _ in second {}
        }
    }

    @Test("A descriptor exchanges packets with the header of utun devices")
    func descriptors() async throws {
        try await Lab.run { lab in
            let (alice, aliceIp) = try await lab.member("alice")
            let (bob, bobIp) = try await lab.member("bob")
            let toBob = try await bob.packets()
            let interface = try Interface()
            try await alice.attach(.descriptor(fd: interface.descriptor, mode: .l3, framing: .addressFamily))
            let packet = ipPacket(from: aliceIp, to: bobIp, length: 100)

            #expect(await arrives(packet, at: toBob) { interface.send(packet) })
        }
    }

    /// Sends until so many bytes have arrived: packets may be lost.
    private func pass(_ total: Int, from sender: ZTPackets, to receiver: ZTPackets, packet: Data) async throws {
        let receiving = Task {
            var (batch, received) = (PacketBatch(), 0)
            while received < total {
                try await receiver.receive(into: &batch)
                for got in batch where got == packet { received += got.count }
            }
            return received
        }
        let sending = Task {
            let batch = PacketBatch(repeatElement(packet, count: 50))
            while !Task.isCancelled {
                try await sender.send(batch)
                // Loopback has no bandwidth to share, so somebody has to leave the others time.
                try await Task.sleep(for: .milliseconds(1))
            }
        }
        #expect(try await receiving.value >= total)
        sending.cancel()
        _ = await sending.result
    }
}
