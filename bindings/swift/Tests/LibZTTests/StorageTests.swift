import Foundation
import Lab
import LibZT
import Testing

@Suite(.timeLimit(.minutes(3))) struct StorageTests {
    @Test("A node that is kept by its program is the same the next time")
    func storage() async throws {
        try await Lab.run { lab in
            let memory = Memory()
            var config = await lab.config("nowhere")
            let nowhere = config.home
            config.home = ""
            let first = try await ZTNode.start(config, hooks: Hooks(storage: memory))
            try await first.join(lab.network)
            try await first.stop()

            let second = try await ZTNode.start(config, hooks: Hooks(storage: memory))

            #expect(second.address == first.address)
            #expect(try await second.memberships() == [lab.network])
            try await second.stop()
            #expect(!FileManager.default.fileExists(atPath: nowhere))

            memory.fails = true
            #expect(
                await failure { [config] in _ = try await ZTNode.start(config, hooks: Hooks(storage: memory)) }
                    == .storage)
        }
    }

    @Test("What is sealed is opened with the same key only")
    func sealing() async throws {
        try await Lab.run { lab in
            var config = await lab.config("alice")
            config.storageKey = Data(repeating: 7, count: 32)
            let first = try await ZTNode.start(config)
            try await first.stop()
            let second = try await ZTNode.start(config)
            try await second.stop()
            #expect(second.address == first.address)

            for wrong in [nil, Data(repeating: 8, count: 32)] {
                config.storageKey = wrong
                #expect(await failure { [config] in _ = try await ZTNode.start(config) } == .sealed)
            }
            config.storageKey = Data([1])
            #expect(await failure { [config] in _ = try await ZTNode.start(config) } == .invalidArgument)
        }
    }
}

/// State in memory, or nowhere.
private final class Memory: Storage, @unchecked Sendable {
    private let lock = NSLock()
    private var kept: [String: Data] = [:]
    private var isFailing = false

    var fails: Bool {
        get { lock.withLock { isFailing } }
        set { lock.withLock { isFailing = newValue } }
    }

    func read(name: String) throws -> Data? { try access { $0[name] } }
    func write(name: String, bytes: Data) throws { try access { $0[name] = bytes } }
    func remove(name: String) throws { try access { $0[name] = nil } }
    func list(prefix: String) throws -> [String] { try access { $0.keys.filter { $0.hasPrefix(prefix) } } }

    private func access<Answer>(_ body: (inout [String: Data]) -> Answer) throws -> Answer {
        try lock.withLock {
            if isFailing { throw StorageFailure.Failed(reason: "as tests do") }
            return body(&kept)
        }
    }
}
