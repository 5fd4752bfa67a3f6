import Foundation

extension NodeIdentity {
    /// Makes an identity. Takes a second or two of this thread.
    public static func generate() throws(ZTError) -> NodeIdentity {
        try translated { try generateIdentity() }
    }

    /// Reads an identity, with or without private key, and checks that its address is derived from its keys.
    public static func read(_ text: String) throws(ZTError) -> NodeIdentity {
        try translated { try readIdentity(text: text) }
    }
}

extension PlanetFile {
    /// Makes a planet of these roots, or, with the key of the last one, its next revision.
    public static func make(
        id: UInt64 = 1,
        roots: [PlanetRoot],
        secretKey: Data? = nil
    ) throws(ZTError) -> PlanetFile {
        try translated { try makePlanet(id: id, roots: roots, secretKey: secretKey) }
    }
}

extension TunPlan {
    /// How much of this plan is news to a host that has carried out `old`.
    public func change(from old: TunPlan) -> PlanChange {
        diffPlans(old: old, plan: self)
    }
}
