import Foundation

/// Finds the descriptor of this process's tunnel interface, which the system hands to a packet tunnel provider
/// without saying so: it is the one the system knows the name `utun…` of.
///
/// `nil` where there is none, or more than one, of which nobody could tell which is meant.
func utunDescriptor() -> Int32? {
    // SYSPROTO_CONTROL and UTUN_OPT_IFNAME of <sys/sys_domain.h> and <net/if_utun.h>, which not every SDK has.
    let (level, option): (Int32, Int32) = (2, 2)
    let found = (Int32(0)..<1024).filter { descriptor in
        var name = [UInt8](repeating: 0, count: 16)
        var length = socklen_t(name.count)
        return getsockopt(descriptor, level, option, &name, &length) == 0 && name.starts(with: "utun".utf8)
    }
    return found.count == 1 ? found[0] : nil
}
