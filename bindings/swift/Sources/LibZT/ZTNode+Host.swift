extension ZTNode {
    // MARK: What the host knows of the machine

    /// Says that the machine may be in another network: sockets are opened anew, and no path is trusted
    /// until it has answered. On Linux the kernel says so itself.
    public func networkChanged() async throws(ZTError) {
        try await ask { try await $0.networkChanged() }
    }

    /// Says what the machine's network is like, until told otherwise. Nothing is assumed at first.
    public func setConditions(_ conditions: Conditions) async throws(ZTError) {
        try await ask { try await $0.setConditions(conditions: conditions) }
    }

    /// Says that the machine is about to sleep: what the node knows is saved, and it does nothing until
    /// ``wake()``.
    public func sleep() async throws(ZTError) {
        try await ask { try await $0.sleep() }
    }

    /// Says that the machine is awake again, perhaps in another network.
    public func wake() async throws(ZTError) {
        try await ask { try await $0.wake() }
    }

    /// Says that the machine is short of memory: the node gives back what it can do without, and the system gets the
    /// pages, where the allocator has a call for that. Connections in use go on; others are found anew when they are
    /// used. To have a node never take more than so much: `Config.memoryBudget`.
    public func trimMemory() async throws(ZTError) {
        try await ask { try await $0.trimMemory() }
    }

    /// Uses the interface of this name and no other, or all of them if `nil`. While there is no such
    /// interface, the node has no sockets.
    public func bindToInterface(_ name: String?) async throws(ZTError) {
        try await ask { try await $0.bindToInterface(name: name) }
    }

    /// Has `protector` look at every socket from here on, those there are included.
    ///
    /// - Throws: `ZTError` of `Code.notPermitted` if it refused one that was in use, which is closed.
    public func setProtector(_ protector: any SocketProtector) async throws(ZTError) {
        try await ask { try await $0.setProtector(protector: protector) }
    }

    /// Goes by `local.conf` and `trustedpaths` as they are, after the user has edited them: rules for physical
    /// addresses, bonding and low-bandwidth mode, unless the program has given them itself. What has to wait for the next
    /// start, such as a port, and what cannot be understood, is a warning in the log that names its key; the rest counts.
    ///
    /// - Throws: `ZTError` of `Code.corruptState` if `local.conf` is no JSON object, or it is not clear what it wants
    ///   avoided, and of `Code.storage` if it cannot be read. The node goes on as before.
    public func reloadLocalConf() async throws(ZTError) {
        try await ask { try await $0.reloadLocalConf() }
    }
}
