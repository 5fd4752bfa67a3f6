/// A network, by its 64 bits: the address of its controller and a number that controller has given it.
public struct NetworkId: Hashable, Sendable, Codable, LosslessStringConvertible {
    /// The bits.
    public let value: UInt64

    /// The network of these bits.
    public init(_ value: UInt64) {
        self.value = value
    }

    /// Reads 16 hexadecimal digits; `nil` if it is given anything else.
    public init?(_ description: String) {
        guard let value = number(description, digits: 16) else { return nil }
        self.value = value
    }

    /// The node that decides who is a member.
    public var controller: Address { Address(truncating: value >> 24) }

    /// 16 hexadecimal digits.
    public var description: String { hex(value, digits: 16) }
}

/// A node, by the 40 bits that are derived from its keys.
public struct Address: Hashable, Sendable, Codable, LosslessStringConvertible {
    /// The bits.
    public let value: UInt64

    init(truncating value: UInt64) {
        self.value = value & 0xff_ffff_ffff
    }

    /// Reads 10 hexadecimal digits; `nil` if it is given anything else.
    public init?(_ description: String) {
        guard let value = number(description, digits: 10) else { return nil }
        self.value = value
    }

    /// 10 hexadecimal digits.
    public var description: String { hex(value, digits: 10) }
}

/// A moon, by its 64 bits.
public struct MoonId: Hashable, Sendable, Codable, LosslessStringConvertible {
    /// The bits.
    public let value: UInt64

    /// The moon of these bits.
    public init(_ value: UInt64) {
        self.value = value
    }

    /// Reads up to 16 hexadecimal digits; `nil` if it is given anything else.
    public init?(_ description: String) {
        guard let value = number(description, digits: description.count), description.count <= 16 else { return nil }
        self.value = value
    }

    /// 16 hexadecimal digits.
    public var description: String { hex(value, digits: 16) }
}

/// A hardware address on a network.
public struct Mac: Hashable, Sendable, Codable, LosslessStringConvertible {
    /// Its 48 bits.
    public let value: UInt64

    /// Reads six pairs of hexadecimal digits with colons between them; `nil` if it is given anything else.
    public init?(_ description: String) {
        let octets = description.split(separator: ":", omittingEmptySubsequences: false)
        guard octets.count == 6, octets.allSatisfy({ $0.count == 2 }),
            let value = number(octets.joined(), digits: 12)
        else { return nil }
        self.value = value
    }

    /// Six pairs of hexadecimal digits, with colons.
    public var description: String {
        let digits = Array(hex(value, digits: 12))
        return stride(from: 0, to: 12, by: 2).map { String(digits[$0...$0 + 1]) }.joined(separator: ":")
    }
}

private func hex(_ value: UInt64, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: digits - text.count) + text
}

private func number(_ text: String, digits: Int) -> UInt64? {
    // `UInt64` would read a sign as well.
    guard text.utf8.count == digits, text.allSatisfy({ $0.isASCII && $0.isHexDigit }) else { return nil }
    return UInt64(text, radix: 16)
}
