import CZT
import Foundation

/// Why something was not done. Whatever was asked for has then not happened.
///
///     do { try await network.leave() } catch where error.code == .notJoined {}
public struct ZTError: Error, Hashable, LocalizedError {
    /// What kind of thing is wrong.
    public let code: Code

    /// What is wrong, for people to read: who is at fault, and what to do.
    public let message: String

    /// The number each kind has in every language: 1xx the caller, 2xx the state, 3xx network and peers,
    /// 4xx storage, 5xx system and library.
    public enum Code: Int, Sendable {
        /// An argument means nothing.
        case invalidArgument = 102
        /// The call waits, and was made on a thread that must not.
        case wouldDeadlock = 106
        /// The descriptor is not open, or none packets can be exchanged by.
        case invalidDescriptor = 107
        /// This system or this build has no such thing.
        case unsupported = 108

        /// The node has stopped.
        case stopped = 200
        /// It took too long. What was begun goes on by itself.
        case timeout = 201
        /// There is nothing to take, or no room.
        case wouldBlock = 202
        /// The network is not joined.
        case notJoined = 203
        /// The network belongs to another controller.
        case notController = 204
        /// The node controls no such network.
        case unknownNetwork = 205
        /// The network's packets go elsewhere.
        case notPackets = 206
        /// There is no such moon, pin or peer.
        case notFound = 207
        /// A bounded table is full.
        case tooMany = 208

        /// Nobody can be the controller of such a network.
        case invalidNetwork = 300
        /// Rules are not even asked about such a packet.
        case rejected = 301
        /// The UDP port, or the address, cannot be had.
        case bind = 302
        /// The planet or moon is not accepted.
        case world = 303
        /// The address or fingerprint cannot be that of the node meant.
        case wrongPeer = 304

        /// The home directory, or the storage in its place, cannot be read or written.
        case storage = 400
        /// The identity stored is none, or another than the one given.
        case corruptIdentity = 401
        /// Something else that is stored cannot be understood.
        case corruptState = 402
        /// A secret is sealed, and there is no storage key, another one, or it is damaged.
        case sealed = 403

        /// The library has failed; that is a defect of it.
        case panic = 500
        /// The system has no more threads, descriptors or random numbers.
        case outOfResources = 501
        /// The process lacks the right to make an interface, or the host refused a socket.
        case notPermitted = 502
        /// The interface cannot be had.
        case interface = 503
    }

    /// An error of this kind.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var errorDescription: String? { message }
}

extension ZTError {
    /// What a call of the library has thrown.
    init(_ error: any Error) {
        guard let native = error as? NativeError else {
            self = error as? ZTError ?? ZTError(.panic, "\(error)")
            return
        }
        let (code, message): (Code, String) =
            switch native {
            case .InvalidArgument(let message): (.invalidArgument, message)
            case .WouldDeadlock(let message): (.wouldDeadlock, message)
            case .InvalidDescriptor(let message): (.invalidDescriptor, message)
            case .Unsupported(let message): (.unsupported, message)
            case .Stopped(let message): (.stopped, message)
            case .Timeout(let message): (.timeout, message)
            case .WouldBlock(let message): (.wouldBlock, message)
            case .NotJoined(let message): (.notJoined, message)
            case .NotController(let message): (.notController, message)
            case .UnknownNetwork(let message): (.unknownNetwork, message)
            case .NotPackets(let message): (.notPackets, message)
            case .NotFound(let message): (.notFound, message)
            case .TooMany(let message): (.tooMany, message)
            case .InvalidNetwork(let message): (.invalidNetwork, message)
            case .Rejected(let message): (.rejected, message)
            case .Bind(let message): (.bind, message)
            case .World(let message): (.world, message)
            case .WrongPeer(let message): (.wrongPeer, message)
            case .Storage(let message): (.storage, message)
            case .CorruptIdentity(let message): (.corruptIdentity, message)
            case .CorruptState(let message): (.corruptState, message)
            case .Sealed(let message): (.sealed, message)
            case .Panic(let message): (.panic, message)
            case .OutOfResources(let message): (.outOfResources, message)
            case .NotPermitted(let message): (.notPermitted, message)
            case .Interface(let message): (.interface, message)
            }
        self.init(code, message)
    }

    /// What a call of C has returned; `nil` if all went well.
    init?(result: Int32) {
        guard result != 0 else { return nil }
        let message = zt_error_message().map { String(cString: $0) } ?? ""
        self.init(Code(rawValue: Int(result)) ?? .panic, message)
    }

    static let nodeHasStopped = ZTError(.stopped, "the node has stopped")
}

/// Passes on what `body` throws as the error everybody knows.
func translated<T>(_ body: () throws -> T) throws(ZTError) -> T {
    do { return try body() } catch { throw ZTError(error) }
}
