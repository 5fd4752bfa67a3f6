package org.libzt

import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock
import kotlin.time.Duration
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.runInterruptible

/**
 * The packets of a network this program exchanges itself, in place of an interface of the system.
 *
 * One thread may send while another receives; more take turns. [Network.packets] opens it. A port that is not [closed][close] keeps memory.
 */
public class PacketPort internal constructor(private var number: Long) : AutoCloseable {
    private val sending = ReentrantLock()
    private val receiving = ReentrantLock()

    @Volatile
    private var isClosed = false

    /**
     * Sends the packets of [slab], and waits while the node is busy with others. The slab is empty then.
     *
     * @throws ZtException.Stopped if the network was left, the node stopped or this port closed.
     */
    public fun send(slab: PacketSlab) {
        send(slab, waits = true)
    }

    /**
     * Sends as many packets of [slab] as the node takes at the moment, and returns whether that were
     * all. Those it has not taken stay in the slab.
     *
     * @throws ZtException.Stopped as above.
     */
    public fun trySend(slab: PacketSlab): Boolean = send(slab, waits = false)

    /**
     * Fills [slab] with packets for this host, and waits up to [patience] for the first of them.
     * Returns whether there is one.
     *
     * @throws ZtException.Stopped as above.
     */
    public fun receive(slab: PacketSlab, patience: Duration = Duration.INFINITE): Boolean {
        val patienceMs = if (patience.isInfinite()) -1 else patience.inWholeMilliseconds.coerceAtLeast(0)
        slab.clear()
        val packets = receiving.withLock { NativePackets.receive(open(), slab.buffer, patienceMs) }
        if (packets == NativePackets.TIMEOUT) return false
        slab.received(NativePackets.check(packets))
        return true
    }

    /** Sends one packet. Use a slab for many: it costs a tenth. */
    public suspend fun send(packet: ByteArray) {
        val slab = PacketSlab(packet.size + 2)
        slab.put(packet)
        runInterruptible(Dispatchers.IO) { send(slab) }
    }

    /**
     * Packets for this host, each copied, until the network is left, the node stopped or this port
     * closed. Have one collector: each packet is given out once.
     */
    public fun packets(): Flow<ByteArray> = flow {
        val slab = PacketSlab()
        while (true) {
            val came = try {
                receive(slab, FLOW_PATIENCE)
            } catch (_: ZtException.Stopped) {
                break
            }
            if (!came) kotlinx.coroutines.yield()
            while (slab.next()) emit(slab.copy())
        }
    }.flowOn(Dispatchers.IO)

    /** Ends what waits, and gives the packets up; the network stays joined. */
    override fun close() {
        if (isClosed) return
        synchronized(this) {
            if (isClosed) return
            isClosed = true
        }
        NativePackets.shut(number)
        sending.withLock { receiving.withLock { NativePackets.free(number) } }
        number = 0
    }

    private fun send(slab: PacketSlab, waits: Boolean): Boolean {
        if (slab.isEmpty) return true
        val sent = sending.withLock {
            NativePackets.send(open(), slab.buffer, slab.first, slab.start, slab.count - slab.first, waits)
        }
        slab.sent(NativePackets.check(sent))
        return slab.isEmpty
    }

    /** Returns the number of the port. It stays valid while a lock is held. */
    private fun open(): Long {
        if (isClosed) throw ZtException.Stopped("the port is closed")
        return number
    }

    private companion object {
        /** How long a flow may take to see that nobody collects it any more. */
        val FLOW_PATIENCE: Duration = Duration.parse("200ms")
    }
}
