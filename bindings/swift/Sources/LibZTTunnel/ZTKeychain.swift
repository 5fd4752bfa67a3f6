#if canImport(Security)
    import Foundation
    import LibZT
    import Security

    /// Secrets of this application in the system's Keychain: not in backups, on this device only, readable as soon as
    /// the user has unlocked it once since it started, as a tunnel may be needed before it is unlocked again.
    public struct ZTKeychain: Sendable {
        /// What the secrets are kept for.
        public var service: String

        /// The group of applications that share them, an application and its extension for instance.
        public var accessGroup: String?

        /// Secrets that are kept for `service`.
        public init(service: String = "org.libzt", accessGroup: String? = nil) {
            self.service = service
            self.accessGroup = accessGroup
        }

        /// The key secrets at rest are sealed under, `Config.storageKey`: 32 random bytes, made when they are first
        /// asked for.
        public func storageKey() throws(ZTError) -> Data {
            if let key = try secret("storage-key") { return key }
            var random = SystemRandomNumberGenerator()
            let key = Data((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) })
            try store(key, as: "storage-key")
            return key
        }

        /// A secret, for instance an identity; `nil` if there is none of this name.
        public func secret(_ name: String) throws(ZTError) -> Data? {
            var query = item(name)
            query[kSecReturnData] = true
            var found: CFTypeRef?
            let status = SecItemCopyMatching(query as CFDictionary, &found)
            if status == errSecItemNotFound { return nil }
            try check(status)
            return found as? Data
        }

        /// Stores a secret in the place of any other of this name.
        public func store(_ secret: Data, as name: String) throws(ZTError) {
            let status = SecItemUpdate(item(name) as CFDictionary, [kSecValueData: secret] as CFDictionary)
            if status != errSecItemNotFound { return try check(status) }
            var new = item(name)
            new[kSecValueData] = secret
            new[kSecAttrAccessible] = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
            try check(SecItemAdd(new as CFDictionary, nil))
        }

        /// Forgets a secret, if there is one of this name.
        public func remove(_ name: String) throws(ZTError) {
            let status = SecItemDelete(item(name) as CFDictionary)
            if status != errSecItemNotFound { try check(status) }
        }

        private func item(_ name: String) -> [CFString: Any] {
            var item: [CFString: Any] = [
                kSecClass: kSecClassGenericPassword,
                kSecAttrService: service,
                kSecAttrAccount: name,
                // On macOS there is another Keychain, of files.
                kSecUseDataProtectionKeychain: true,
            ]
            item[kSecAttrAccessGroup] = accessGroup
            return item
        }

        private func check(_ status: OSStatus) throws(ZTError) {
            if status == errSecSuccess { return }
            let why = SecCopyErrorMessageString(status, nil) as String? ?? "status \(status)"
            throw ZTError(.storage, "the Keychain: \(why)")
        }
    }
#endif
