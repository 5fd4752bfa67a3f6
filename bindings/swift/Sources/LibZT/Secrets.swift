/// A record that shows nothing of its secrets to whoever prints it or looks into it.
private protocol WithSecrets: CustomStringConvertible, CustomReflectable {
    /// What may be seen.
    var shown: KeyValuePairs<String, Any> { get }
}

extension WithSecrets {
    public var description: String {
        "\(Self.self)(\(shown.map { "\($0): \($1)" }.joined(separator: ", ")))"
    }

    public var customMirror: Mirror {
        Mirror(self, children: shown, displayStyle: .struct)
    }
}

extension Config: WithSecrets {
    fileprivate var shown: KeyValuePairs<String, Any> { ["home": home] }
}

extension NodeIdentity: WithSecrets {
    fileprivate var shown: KeyValuePairs<String, Any> { ["address": address] }
}

extension PlanetFile: WithSecrets {
    fileprivate var shown: KeyValuePairs<String, Any> { ["planet": planet] }
}
