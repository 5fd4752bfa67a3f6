package org.libzt

import java.lang.management.ManagementFactory
import java.lang.management.ThreadMXBean
import java.nio.ByteBuffer
import kotlin.test.Test
import kotlin.test.assertTrue
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/**
 * What a packet costs on its way through the JNI: from the slab into the node's queue, copy and all.
 *
 * Time is the processor's, for the thread that sends, so that a busy machine and the node's own threads do
 * not count. The node has not been admitted to the network: it throws away what it gets, without reading it.
 */
class SlabBench {
    @Test
    fun `a packet costs nanoseconds`() = Lab.run {
        val node = node(config("alice"))
        node.join(NetworkId.parse("8056c2e21c000001")).packets().use { port ->
            for (length in listOf(100, 1400)) {
                val slab = PacketSlab(BATCH * (length + 2))
                val packet = udpPacket(LOOPBACK, LOOPBACK, length)
                while (slab.put(packet)) Unit
                val copy = ByteBuffer.allocateDirect(slab.buffer.capacity())

                val copied = List(ROUNDS) { cost(slab) { it.copyTo(copy) } }.sorted()
                var taken = node.dropped()
                val sent = List(ROUNDS) {
                    val cost = withContext(Dispatchers.IO) { cost(slab) { check(port.trySend(it)) } }
                    // It shall not fall behind: then its queue would be what is measured.
                    taken += CALLS * BATCH
                    while (node.dropped() < taken) Unit
                    cost
                }.sorted()

                println("slab, $length bytes, ns/packet: ${sent.summary()}; of that the copy: ${copied.summary()}")
                // The best, as others' caches and theirs are one on a busy machine.
                assertTrue(sent.first() - copied.first() <= BUDGET_NS, "$length bytes: ${sent.summary()}")
            }
        }
    }

    /** Returns what a packet costs if [take] is called with a full slab, again and again, in ns. */
    private fun cost(slab: PacketSlab, take: (PacketSlab) -> Unit): Double {
        val started = THREADS.currentThreadCpuTime
        repeat(CALLS) {
            // What was put in once.
            slab.received(BATCH)
            take(slab)
        }
        return (THREADS.currentThreadCpuTime - started).toDouble() / (CALLS * BATCH)
    }

    /** Copies a full slab, without looking at packets. */
    private fun PacketSlab.copyTo(copy: ByteBuffer) {
        copy.clear()
        copy.put(buffer.duplicate().apply { rewind() })
    }

    private suspend fun Node.dropped(): Long = statistics().drops.sumOf { it.count.toLong() }

    private fun List<Double>.median(): Double = this[size / 2]

    private fun List<Double>.summary(): String = "best %.1f, median %.1f".format(first(), median())

    private companion object {
        val THREADS: ThreadMXBean = ManagementFactory.getThreadMXBean()

        /** Of a packet besides the copy. */
        const val BUDGET_NS = 50.0
        const val BATCH = 64

        /** In a row; the node's queue has room for eight times as many. */
        const val CALLS = 8
        const val ROUNDS = 2_000
    }
}
