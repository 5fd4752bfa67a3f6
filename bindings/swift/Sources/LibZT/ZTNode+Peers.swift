import Foundation

extension ZTNode {
    // MARK: Peers

    /// Every known peer, by ascending address.
    public func peers() async throws(ZTError) -> [PeerStatus] {
        try await ask { try await $0.peers() }
    }

    /// Why packets get to a peer the way they do; `nil` if no such peer is known.
    public func explain(_ peer: Address) async throws(ZTError) -> PathExplanation? {
        try await ask { try await $0.explain(peer: peer) }
    }

    // MARK: Who holds which address

    /// The fingerprint, in full, of whoever is known at an address; this node's own without one.
    public func fingerprint(of address: Address? = nil) async throws(ZTError) -> String? {
        let address = address ?? self.address
        return try await ask { try await $0.fingerprint(address: address) }
    }

    /// Lets only the identity of this fingerprint, in any form people write it, hold an address.
    public func pin(_ address: Address, to fingerprint: String) async throws(ZTError) {
        try await ask { try await $0.pin(address: address, fingerprint: fingerprint) }
    }

    /// Takes a pin back, or forgets who was first seen at an address.
    public func unpin(_ address: Address) async throws(ZTError) {
        try await ask { try await $0.unpin(address: address) }
    }

    /// Has nobody but roots for a peer who is not pinned, or anybody again. Controllers are to be pinned as
    /// well then.
    public func requirePinned(_ required: Bool) async throws(ZTError) {
        try await ask { try await $0.requirePinned(required: required) }
    }

    /// What is pinned, who was first seen at other addresses, and whether pins are required.
    public func pins() async throws(ZTError) -> PinsStatus {
        try await ask { try await $0.pins() }
    }

    // MARK: Roots

    /// Which planet and moons are in force and how their roots are reached.
    public func worlds() async throws(ZTError) -> WorldsStatus {
        try await ask { try await $0.worlds() }
    }

    /// Uses the roots of a moon beside those of the planet; asks `seed`, one of them, for it. Returns at
    /// once; `NodeEvent.worlds` follows when the seed has answered. The moon, and the wish for it, outlive the node.
    public func orbit(_ moon: MoonId, seed: Address? = nil) async throws(ZTError) {
        try await ask { try await $0.orbit(moon: moon, seed: seed) }
    }

    /// Uses the roots of the moon in a moon file.
    public func orbit(file: Data) async throws(ZTError) {
        try await ask { try await $0.orbitFile(file: file) }
    }

    /// Does without a moon, or no longer asks for it.
    public func deorbit(_ moon: MoonId) async throws(ZTError) {
        try await ask { try await $0.deorbit(moon: moon) }
    }
}
