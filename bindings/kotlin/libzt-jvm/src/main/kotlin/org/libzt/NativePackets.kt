package org.libzt

import java.io.File
import java.nio.ByteBuffer

/**
 * The calls packets take, in `ffi/src/jni`.
 *
 * What is negative is the number of an error. A port must not be used once it is freed: [PacketPort]
 * sees to that.
 */
internal object NativePackets {
    init {
        // JNA finds the library by a property of its own; the JVM shall find the same one.
        val library = System.getProperty("jna.library.path")?.let { File(it, System.mapLibraryName("zt")) }
        if (library?.exists() == true) System.load(library.absolutePath) else System.loadLibrary("zt")
    }

    @JvmStatic
    external fun send(port: Long, slab: ByteBuffer, first: Int, start: Int, count: Int, waits: Boolean): Int

    @JvmStatic
    external fun receive(port: Long, slab: ByteBuffer, patienceMs: Long): Int

    @JvmStatic
    external fun shut(port: Long)

    @JvmStatic
    external fun free(port: Long)

    /** Returns a count, or throws the error a negative number stands for. */
    fun check(count: Int): Int {
        if (count >= 0) return count
        throw when (-count) {
            INVALID_ARGUMENT -> ZtException.InvalidArgument("the slab holds no packets, or has no room for one")
            WOULD_DEADLOCK -> ZtException.WouldDeadlock("this call waits and must not be made on a thread of the library")
            STOPPED -> ZtException.Stopped("the network was left, the port closed or the node stopped")
            else -> ZtException.Panic("the library has failed with ${-count}: please report this")
        }
    }

    /** Nothing came in time. */
    const val TIMEOUT: Int = -201

    private const val INVALID_ARGUMENT = 102
    private const val WOULD_DEADLOCK = 106
    private const val STOPPED = 200
}
