package org.libzt

import java.nio.ByteBuffer
import kotlin.concurrent.thread
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertTrue
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.isActive
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

class PacketsTest {
    @Test
    fun `a slab gives back what was put in`() {
        val slab = PacketSlab(20)
        val packets = listOf(byteArrayOf(1, 2, 3), byteArrayOf(), byteArrayOf(4))

        assertTrue(slab.put(packets[0]) && slab.put(packets[1]) && slab.put(ByteBuffer.wrap(packets[2])))
        assertFalse(slab.put(ByteArray(9)))

        val read = generateSequence { if (slab.next()) slab.copy() else null }.toList()
        assertEquals(packets.map { it.toList() }, read.map { it.toList() })
        assertTrue(slab.isEmpty)
        assertFailsWith<IllegalArgumentException> { slab.put(ByteArray(70_000)) }
    }

    @Test
    fun `a slab that was partly read goes on where it was`() {
        val slab = PacketSlab(20)
        assertTrue(slab.put(byteArrayOf(1, 2)) && slab.next())
        assertTrue(slab.put(byteArrayOf(3)) && slab.next())

        assertContentEquals(byteArrayOf(3), slab.copy())
        assertTrue(slab.isEmpty && !slab.next())
    }

    /** Twelve megabytes cross, as packets may be lost and ten have to arrive. */
    @Test
    fun `ten megabytes of packets pass between two nodes`() = Lab.run {
        val (alice, aliceIp) = member("alice")
        val (bob, bobIp) = member("bob")
        val packet = udpPacket(aliceIp, bobIp, PACKET_LENGTH)
        alice.packets().use { sender ->
            bob.packets().use { receiver ->
                acquaint(sender, receiver, packet)
                var received = 0L
                val reading = thread {
                    val slab = PacketSlab()
                    while (received < TOTAL && receiver.receive(slab, 5.seconds)) {
                        while (slab.next()) {
                            assertEquals(packet[PACKET_LENGTH - 1], slab.buffer.get(slab.offset + slab.length - 1))
                            received += slab.length
                        }
                    }
                }
                withContext(Dispatchers.IO) {
                    val slab = PacketSlab(50 * (PACKET_LENGTH + 2))
                    while (reading.isAlive) {
                        while (slab.put(packet)) Unit
                        sender.send(slab)
                        // Loopback has no bandwidth to share, so somebody has to leave the others time.
                        Thread.sleep(1)
                    }
                }

                assertTrue(received >= TOTAL, "$received bytes arrived")
            }
        }
    }

    @Test
    fun `single packets are sent and collected`() = Lab.run {
        val (alice, aliceIp) = member("alice")
        val (bob, bobIp) = member("bob")
        val packet = udpPacket(aliceIp, bobIp, 100)
        alice.packets().use { sender ->
            bob.packets().use { receiver ->
                coroutineScope {
                    val arrived = async { receiver.packets().first() }
                    val sending = launch { while (isActive) { sender.send(packet); delay(50) } }

                    assertContentEquals(packet, arrived.await())
                    sending.cancel()
                }
            }
        }
    }

    @Test
    fun `a port that is closed wakes who waits, and refuses everybody after`() = Lab.run {
        val (alice, _) = member("alice")
        val port = alice.packets()
        var problem: Throwable? = null
        val waiting = thread { problem = runCatching { port.receive(PacketSlab()) }.exceptionOrNull() }
        withContext(Dispatchers.IO) { Thread.sleep(50) }

        port.close()
        port.close()
        withContext(Dispatchers.IO) { waiting.join() }

        assertTrue(problem is ZtException.Stopped, "$problem")
        assertFailsWith<ZtException.Stopped> { port.receive(PacketSlab(), Duration.ZERO) }
        assertFailsWith<ZtException.Stopped> { port.send(PacketSlab().apply { put(ByteArray(20)) }) }
    }

    @Test
    fun `a port ends with its network, and nothing is received before something came`() = Lab.run {
        val (alice, _) = member("alice")
        alice.packets().use { port ->
            assertFalse(port.receive(PacketSlab(), 10.milliseconds))
            val waiting = coroutineScope {
                val waiting = async(Dispatchers.IO) { runCatching { port.receive(PacketSlab()) } }
                alice.leave()
                waiting.await()
            }

            assertTrue(waiting.exceptionOrNull() is ZtException.Stopped, "$waiting")
        }
    }

    @Test
    fun `packets that are opened again are given to the later port`() = Lab.run {
        val (alice, _) = member("alice")
        val first = alice.packets()
        val second = alice.packets()

        assertFailsWith<ZtException.Stopped> { first.receive(PacketSlab()) }
        assertFalse(second.receive(PacketSlab(), 10.milliseconds))
        listOf(first, second).forEach { it.close() }
    }

    @Test
    fun `a slab that lies is refused`() = Lab.run {
        val (alice, _) = member("alice")
        alice.packets().use { port ->
            val slab = PacketSlab(100)
            slab.put(ByteArray(20))
            slab.buffer.putShort(98, 1000)

            assertFailsWith<ZtException.InvalidArgument> { port.send(slab) }
        }
    }

    /** Sends until the two have found each other. */
    private suspend fun acquaint(sender: PacketPort, receiver: PacketPort, packet: ByteArray) {
        val slab = PacketSlab()
        repeat(600) {
            sender.send(packet)
            if (withContext(Dispatchers.IO) { receiver.receive(slab, 100.milliseconds) }) return
        }
        error("no packet arrived")
    }

    private companion object {
        const val PACKET_LENGTH = 1400
        const val TOTAL = 10L * 1024 * 1024
    }
}
