#if os(Linux)
    import Foundation
    import Lab
    import LibZT
    import Testing

    @Suite(.timeLimit(.minutes(3))) struct LeakTests {
        /// A hundred nodes after one another leave no descriptor, no thread and hardly any memory.
        @Test("A hundred starts and stops leave nothing behind")
        func cycles() async throws {
            try await Lab.run { lab in
                let config = await lab.config("alice")
                // What is made once is not counted.
                for _ in 0..<20 { try await cycle(config, lab.network) }
                let before = try Usage()

                for _ in 0..<100 { try await cycle(config, lab.network) }

                let after = try Usage()
                #expect(after.descriptors <= before.descriptors + 2, "\(before), then \(after)")
                #expect(after.threads <= before.threads + 4, "\(before), then \(after)")
                #expect(after.residentKb <= before.residentKb + 8 * 1024, "\(before), then \(after)")
            }
        }

        private func cycle(_ config: Config, _ network: NetworkId) async throws {
            let node = try await ZTNode.start(config)
            let packets = try await node.join(network).packets()
            try await node.stop()
            for await _ in packets {}
        }
    }

    private struct Usage {
        let descriptors: Int
        let threads: Int
        let residentKb: Int

        init() throws {
            descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
            threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count
            let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
            residentKb = Int(line.filter(\.isNumber)) ?? 0
        }
    }
#endif
