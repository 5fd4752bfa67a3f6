package org.libzt

/** Keeps the packets of a node itself out of virtual networks, as a VPN has to: `VpnService.protect`. */
public fun interface SocketProtector {
    /**
     * Prepares the socket with this descriptor before the node uses it, and returns whether that was
     * done. If not, or if it throws, the socket is closed and never used.
     *
     * A thread of the library calls it, for every socket: at the start, and later when some are opened
     * anew. It should not take long, and must not call the node.
     */
    public fun protect(socket: Int): Boolean
}

/** A protector as the library calls it, which no exception may reach. */
internal class NativeSocketProtector(private val protector: SocketProtector) : NativeProtector {
    /** What the protector has thrown last. */
    @Volatile
    var problem: Throwable? = null
        private set

    override fun protect(fd: Int): Boolean = try {
        protector.protect(fd)
    } catch (thrown: Throwable) {
        problem = thrown
        false
    }
}

/** Does something; if that fails after the protector has thrown something, says so. */
internal suspend fun <T> blaming(protector: NativeSocketProtector?, action: suspend () -> T): T = try {
    action()
} catch (failure: ZtException) {
    protector?.problem?.let { failure.initCause(it) }
    throw failure
}
