import Foundation
import LibZT

/// Long enough for a busy machine; what is waited for takes much less.
public let patience = Duration.seconds(60)

/// A root, a controller and one network of it, in this process and over loopback.
public actor Lab {
    public nonisolated let network: NetworkId
    public nonisolated let controller: ZTNode
    private let directory: URL
    private let planet: Data
    private var nodes: [ZTNode]

    private init(_ directory: URL, _ planet: Data, root: ZTNode, controller: ZTNode, network: NetworkId) {
        self.directory = directory
        self.planet = planet
        self.controller = controller
        self.network = network
        nodes = [root, controller]
    }

    /// Runs `story` in a new lab.
    public static func run(_ story: @Sendable (Lab) async throws -> Void) async throws {
        let lab = try await start()
        do {
            try await story(lab)
        } catch {
            try await lab.end()
            throw error
        }
        try await lab.end()
    }

    private static func start() async throws -> Lab {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("libzt-\(UUID())")
        let identity = try NodeIdentity.generate()
        // A node that has stopped leaves a port that was free a moment ago.
        let probe = try await ZTNode.start(config(directory.appendingPathComponent("probe"), planet: nil))
        let endpoints = await probe.bound
        try await probe.stop()
        let planet = try PlanetFile.make(roots: [PlanetRoot(identity: identity.public, endpoints: endpoints)]).planet
        var rootConfig = config(directory.appendingPathComponent("root"), planet: planet)
        rootConfig.identity = identity.secret
        rootConfig.bind = endpoints
        let root = try await ZTNode.start(rootConfig)
        var controllerConfig = config(directory.appendingPathComponent("controller"), planet: planet)
        controllerConfig.controller = true
        let controller = try await ZTNode.start(controllerConfig)
        let network = try await controller.createNetwork(
            HostedNetwork(
                name: "lab", pools: ["10.1.0.1-10.1.0.99"], routes: [Route(target: "10.1.0.0", bits: 24)]))
        return Lab(directory, planet, root: root, controller: controller, network: network)
    }

    private static func config(_ home: URL, planet: Data?) -> Config {
        Config(home: home.path, planet: planet, bind: ["127.0.0.1:0"], profile: .desktop, allowLoopback: true)
    }

    /// How a node of this lab is started.
    public func config(_ name: String) -> Config {
        Self.config(directory.appendingPathComponent(name), planet: planet)
    }

    public func node(_ name: String) async throws -> ZTNode {
        let node = try await ZTNode.start(config(name))
        nodes.append(node)
        return node
    }

    /// Starts a node and has it admitted; returns its network and its address there.
    public func member(_ name: String) async throws -> (network: ZTNetwork, ip: IpAddress) {
        let node = try await node(name)
        try await controller.allow(node.address, on: network)
        let joined = try await node.join(network)
        let status = try await joined.configured(within: patience)
        return (joined, status.addresses[0].address)
    }

    private func end() async throws {
        for node in nodes.reversed() { try await node.stop() }
        try FileManager.default.removeItem(at: directory)
    }
}

/// An IPv4 packet of `length` bytes, of protocol 253, which is for experiments.
public func ipPacket(from source: IpAddress, to destination: IpAddress, length: Int) -> Data {
    let octets = { (ip: IpAddress) in ip.split(separator: ".").compactMap { UInt8($0) } }
    var packet = Data([0x45, 0, UInt8(length >> 8), UInt8(length & 0xff), 0, 0, 0, 0, 64, 253, 0, 0])
    packet += octets(source) + octets(destination)
    packet += Data(repeating: 7, count: length - packet.count)
    return packet
}

/// What kind of error is thrown; `nil` if none is, or one of another type.
public func failure(_ body: () async throws -> Void) async -> ZTError.Code? {
    do { try await body() } catch { return (error as? ZTError)?.code }
    return nil
}

/// Does `send` over and over until a packet arrives. Returns whether it does.
public func arrives(
    _ packet: Data, at packets: ZTPackets, by send: @escaping @Sendable () async throws -> Void
) async -> Bool {
    let sending = Task {
        while !Task.isCancelled {
            try await send()
            try await Task.sleep(for: .milliseconds(50))
        }
    }
    let givingUp = Task {
        try await Task.sleep(for: patience)
        packets.close()
    }
    defer {
        sending.cancel()
        givingUp.cancel()
    }
    return await packets.first { $0.contains(packet) } != nil
}

/// A pair of sockets in place of a utun device, with its header of 4 bytes before each packet.
public final class Interface: Sendable {
    /// What the node is given.
    public let descriptor: Int32

    private let programs: Int32

    public init() throws {
        #if os(Linux)
            let kind = Int32(SOCK_DGRAM.rawValue)
        #else
            let kind = SOCK_DGRAM
        #endif
        var ends: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw POSIXError(.EMFILE) }
        (descriptor, programs) = (ends[0], ends[1])
    }

    deinit {
        close(descriptor)
        close(programs)
    }

    /// Programs send a packet.
    public func send(_ packet: Data) {
        let framed = Data([0, 0, 0, UInt8(AF_INET)]) + packet
        _ = framed.withUnsafeBytes { write(programs, $0.baseAddress, $0.count) }
    }
}
