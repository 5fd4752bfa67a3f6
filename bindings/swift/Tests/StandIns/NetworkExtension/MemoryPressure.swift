// What LibZTTunnel uses of Dispatch that Linux's has not; see NetworkExtension.swift.

import Dispatch

public protocol DispatchSourceMemoryPressure: AnyObject {
    func setEventHandler(handler: @escaping @Sendable () -> Void)
    func activate()
    func cancel()
}

extension DispatchSource {
    public struct MemoryPressureEvent: OptionSet, Sendable {
        public let rawValue: UInt

        public static let normal = MemoryPressureEvent(rawValue: 1)
        public static let warning = MemoryPressureEvent(rawValue: 2)
        public static let critical = MemoryPressureEvent(rawValue: 4)

        public init(rawValue: UInt) {
            self.rawValue = rawValue
        }
    }

    public static func makeMemoryPressureSource(
        eventMask: MemoryPressureEvent, queue: DispatchQueue?
    ) -> any DispatchSourceMemoryPressure {
        MemoryPressureStandIn(eventMask, queue)
    }
}

/// A device whose memory is as tests say.
public final class MemoryPressureStandIn: DispatchSourceMemoryPressure, @unchecked Sendable {
    /// For tests: the source that was activated last.
    nonisolated(unsafe) public private(set) static var active: MemoryPressureStandIn?

    private let mask: DispatchSource.MemoryPressureEvent
    private let queue: DispatchQueue?
    private var handler: (@Sendable () -> Void)?
    public private(set) var isCancelled = false

    init(_ mask: DispatchSource.MemoryPressureEvent, _ queue: DispatchQueue?) {
        self.mask = mask
        self.queue = queue
    }

    public func setEventHandler(handler: @escaping @Sendable () -> Void) {
        self.handler = handler
    }

    public func activate() {
        Self.active = self
    }

    public func cancel() {
        isCancelled = true
    }

    /// For tests.
    public func say(_ event: DispatchSource.MemoryPressureEvent) {
        guard mask.contains(event), !isCancelled, let handler else { return }
        (queue ?? .main).async(execute: handler)
    }
}
