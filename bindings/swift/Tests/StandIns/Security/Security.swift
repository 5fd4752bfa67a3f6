// What LibZTTunnel uses of Apple's framework of this name; see the one of NetworkExtension. The Keychain is a variable.
// Types of Core Foundation are those of Swift they are bridged to.

import Foundation

public typealias CFString = String
public typealias CFDictionary = [String: Any]
public typealias CFTypeRef = Any
public typealias OSStatus = Int32

public let errSecSuccess: OSStatus = 0
public let errSecParam: OSStatus = -50
public let errSecDuplicateItem: OSStatus = -25299
public let errSecItemNotFound: OSStatus = -25300

public let kSecClass = "class"
public let kSecClassGenericPassword = "genp"
public let kSecAttrService = "svce"
public let kSecAttrAccount = "acct"
public let kSecAttrAccessGroup = "agrp"
public let kSecAttrAccessible = "pdmn"
public let kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly = "cku"
public let kSecUseDataProtectionKeychain = "nleg"
public let kSecReturnData = "r_Data"
public let kSecValueData = "v_Data"

nonisolated(unsafe) private var items: [[String]: Data] = [:]
private let lock = NSLock()

private func key(_ query: CFDictionary) -> [String]? {
    guard query[kSecClass] as? String == kSecClassGenericPassword,
        let service = query[kSecAttrService] as? String, let account = query[kSecAttrAccount] as? String
    else { return nil }
    return [service, account, query[kSecAttrAccessGroup] as? String ?? ""]
}

public func SecItemCopyMatching(_ query: CFDictionary, _ result: UnsafeMutablePointer<CFTypeRef?>?) -> OSStatus {
    guard let key = key(query), query[kSecReturnData] as? Bool == true else { return errSecParam }
    return lock.withLock {
        guard let found = items[key] else { return errSecItemNotFound }
        result?.pointee = found
        return errSecSuccess
    }
}

public func SecItemAdd(_ attributes: CFDictionary, _ result: UnsafeMutablePointer<CFTypeRef?>?) -> OSStatus {
    guard let key = key(attributes), let value = attributes[kSecValueData] as? Data,
        attributes[kSecAttrAccessible] != nil
    else { return errSecParam }
    return lock.withLock {
        if items[key] != nil { return errSecDuplicateItem }
        items[key] = value
        return errSecSuccess
    }
}

public func SecItemUpdate(_ query: CFDictionary, _ attributes: CFDictionary) -> OSStatus {
    guard let key = key(query), let value = attributes[kSecValueData] as? Data else { return errSecParam }
    return lock.withLock {
        if items[key] == nil { return errSecItemNotFound }
        items[key] = value
        return errSecSuccess
    }
}

public func SecItemDelete(_ query: CFDictionary) -> OSStatus {
    guard let key = key(query) else { return errSecParam }
    return lock.withLock { items.removeValue(forKey: key) == nil ? errSecItemNotFound : errSecSuccess }
}

public func SecCopyErrorMessageString(_ status: OSStatus, _ reserved: UnsafeMutableRawPointer?) -> CFString? {
    "error \(status)"
}
