import Foundation
import LibZT

extension Prefix {
    /// Whether it is one of IPv6.
    var isIPv6: Bool { address.contains(":") }

    /// The same with all bits of the host zero.
    var network: Prefix { Prefix(address: masked(address, bits: bits), bits: bits) }
}

/// The mask of an IPv4 prefix, as text.
func subnetMask(bits: UInt8) -> String {
    masked("255.255.255.255", bits: bits)
}

/// An address of which only the first bits are left.
private func masked(_ address: IpAddress, bits: UInt8) -> IpAddress {
    let family = address.contains(":") ? AF_INET6 : AF_INET
    var octets = [UInt8](repeating: 0, count: family == AF_INET6 ? 16 : 4)
    // What is no address stays as it is: the system is the one to say so.
    guard inet_pton(family, address, &octets) == 1 else { return address }
    for (index, octet) in octets.enumerated() {
        let left = max(0, min(8, Int(bits) - 8 * index))
        octets[index] = octet & UInt8(truncatingIfNeeded: 0xff << (8 - left))
    }
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    return inet_ntop(family, octets, &text, socklen_t(text.count)).map { String(cString: $0) } ?? address
}
