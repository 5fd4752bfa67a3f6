package org.libzt

import java.io.File
import java.net.DatagramPacket
import java.net.DatagramSocket
import java.util.concurrent.atomic.AtomicInteger
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull
import kotlin.test.assertSame
import kotlin.test.assertTrue
import kotlinx.coroutines.delay

class HintsTest {
    @Test
    fun `a protector sees every socket, also when it is opened anew, or when the protector comes late`() = Lab.run {
        val early = AtomicInteger()
        val late = AtomicInteger()
        val node = node(config("alice")) { early.incrementAndGet() > 0 }
        assertEquals(1, early.get())

        node.networkChanged()
        assertEquals(2, early.get())

        node.setProtector { late.incrementAndGet() > 0 }
        node.networkChanged()
        assertEquals(2 to 2, early.get() to late.get())
    }

    /** Whatever the node is to be bound to. */
    @Test
    fun `a protector that refuses or throws leaves no node behind`() = Lab.run {
        val thrown = IllegalStateException("no VPN")
        for (config in listOf(config("alice"), config("alice").copy(bind = emptyList(), port = 0u))) {
            assertFailsWith<ZtException.Bind> { node(config) { false } }

            val failure = assertFailsWith<ZtException.Bind> { node(config) { throw thrown } }
            assertSame(thrown, failure.cause)
        }
        // The home directory is free again.
        node(config("alice")) { true }
    }

    @Test
    fun `a socket that is refused later is closed`() = Lab.run {
        val node = node(config("alice"))
        assertTrue(node.hears())
        val thrown = IllegalStateException("no VPN")

        val failure = assertFailsWith<ZtException.NotPermitted> { node.setProtector { throw thrown } }

        assertSame(thrown, failure.cause)
        // The port is free.
        DatagramSocket(node.bound.single()).close()
    }

    @Test
    fun `a node that is told of no network hears nothing`() = Lab.run {
        val node = node(config("alice").copy(bind = emptyList(), port = 0u))

        node.setConditions(Conditions(offline = true))
        assertTrue(!node.hears())
        node.setConditions(Conditions(metered = true, expensive = true))
        assertTrue(node.hears())
        node.sleep()
        assertTrue(!node.hears())
        node.wake()
        assertTrue(node.hears())
        node.bindToInterface("no-such-if")
        assertTrue(!node.hears())
        node.bindToInterface(null)
        assertTrue(node.hears())

        val wakeups = node.statistics().wakeups
        assertTrue(wakeups.requests > 5uL)
        assertTrue(wakeups.timers.any { it.reason == "peer_probe" && it.count > 0uL }, "$wakeups")
        assertNull(node.mappedPort())
    }

    @Test
    fun `memory is bounded as asked for, and given back`() = Lab.run {
        val phone = node(config("alice").copy(profile = Profile.PHONE))
        val memory = phone.statistics().memory
        assertEquals((16uL shl 20), memory.budget)
        assertTrue(memory.peers in 1uL..memory.total, "$memory")
        phone.trimMemory()
        assertNull(node(config("bob")).statistics().memory.budget)

        val tooSmall = assertFailsWith<ZtException.InvalidArgument> { node(config("carol").copy(memoryBudget = 1uL)) }
        assertTrue("at least 4194304 bytes" in tooSmall.message.orEmpty(), tooSmall.message)
    }

    @Test
    fun `local conf is read again, and counts unless it is unclear what to avoid`() = Lab.run {
        val config = config("alice")
        val node = node(config)
        val conf = File(config.home, "local.conf")
        fun trusted() = node.status.value.trustedPaths.map { it.id }

        conf.writeText("""{"physical": {"10.20.0.0/16": {"trustedPathId": 7}}, "settings": {"primaryPort": 1000}}""")
        node.reloadLocalConf()
        assertEquals(listOf(7uL), trusted())

        conf.writeText("""{"physical": {"10.1.0.0/99": {"blacklist": true}}}""")
        val unclear = assertFailsWith<ZtException.CorruptState> { node.reloadLocalConf() }
        assertTrue("physical.10.1.0.0/99" in unclear.message.orEmpty(), unclear.message)
        assertEquals(listOf(7uL), trusted())
    }

    @Test
    fun `what the rules of a network say is told without sending anything`() = Lab.run {
        val (network, ip) = member("alice")

        val verdict = network.wouldAllow(network.id.controller, udpPacket(ip, ip, 100), Direction.OUTBOUND)

        assertTrue(verdict.passes, "$verdict")
    }

    /** Whether noise sent to the node is counted by it. */
    private suspend fun Node.hears(): Boolean {
        val before = statistics().drops.sumOf { it.count }
        DatagramSocket().use { it.send(DatagramPacket("noise".toByteArray(), 5, bound.first())) }
        repeat(20) {
            if (statistics().drops.sumOf { it.count } > before) return true
            delay(15)
        }
        return false
    }
}
