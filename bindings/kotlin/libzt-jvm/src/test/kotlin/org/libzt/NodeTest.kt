package org.libzt

import java.io.File
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNotEquals
import kotlin.test.assertTrue
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.withTimeout

class NodeTest {
    /** Two collectors see the same, and both end with the node. */
    @Test
    fun `events are a flow that ends when the node stops`() = Lab.run {
        val node = node(config("alice"))
        coroutineScope {
            val collectors = List(2) { async { node.events.toList() } }
            // Not before both listen: a shared flow tells nobody what was before.
            while (!node.status.value.online) node.status.first { it.online }
            node.join(network)
            withTimeout(PATIENCE_MS) {
                node.networkStatuses.first { it[network]?.standing == Standing.ACCESS_DENIED }
            }
            node.stop()

            val (first, second) = collectors.map { it.await() }

            assertEquals(first, second)
            assertTrue(first.any { it is NodeEvent.Network && it.status.standing == Standing.ACCESS_DENIED }, "$first")
        }
        assertFalse(node.status.value.online)
        assertEquals(emptyList(), node.events.toList())
    }

    @Test
    fun `a node makes an identity and keeps it, and stopping it twice is nothing special`() = Lab.run {
        val config = config("alice").copy(identity = null)
        val first = node(config)
        first.stop()
        first.stop()
        val second = node(config)

        assertEquals(first.address, second.address)
        assertNotEquals(first.address, readIdentity(generateIdentity().secret!!).address)
        assertEquals("Node(${first.address})", "$second")
    }

    @Test
    fun `what is wrong is said by the kind of exception`() = Lab.run {
        val node = node(config("alice"))
        val unknown = NetworkId.parse("8056c2e21c000001")

        assertFailsWith<ZtException.NotJoined> { node.network(unknown).leave() }
        assertFailsWith<ZtException.InvalidNetwork> { node.join(NetworkId(7)) }
        assertFailsWith<ZtException.InvalidArgument> { node.join(unknown, fingerprint = "abc") }
        assertFailsWith<ZtException.InvalidDescriptor> {
            node.join(unknown, Port.Descriptor(-1, PortMode.L3, Framing.PLAIN))
        }
        node.join(unknown, Port.None)
        assertFailsWith<ZtException.NotPackets> { node.network(unknown).packets() }
        assertFailsWith<ZtException.Bind> { node(config("bob").copy(bind = node.bound)) }
        File(config("carol").home).writeText("no directory")
        assertFailsWith<ZtException.Storage> { node(config("carol")) }
        val message = assertFailsWith<ZtException.UnknownNetwork> { node.allow(unknown, node.address) }.message
        assertTrue(unknown.toString() in message.orEmpty(), message)

        node.stop()

        assertFailsWith<ZtException.Stopped> { node.peers() }
        assertFailsWith<ZtException.Stopped> { node.join(unknown) }
    }

    @Test
    fun `a network whose controller has another fingerprint stands so until the right one is pinned`() = Lab.run {
        val node = node(config("alice"))
        node.join(network, Port.None, fingerprint = "7".repeat(96))
        withTimeout(PATIENCE_MS) {
            node.networkStatuses.first { it[network]?.standing == Standing.IDENTITY_CONFLICT }
        }

        node.unpin(network.controller)

        withTimeout(PATIENCE_MS) {
            node.networkStatuses.first { it[network]?.standing == Standing.ACCESS_DENIED }
        }
    }

    @Test
    fun `what a network means for this machine is told`() = Lab.run {
        val (network, address) = member("alice")

        val plan = network.plan()

        assertEquals(listOf(Prefix(address, 24u)), plan.addresses)
        assertEquals(PlanChange.NOTHING, diffPlans(plan, plan))
        assertEquals(PlanChange.REESTABLISH, diffPlans(plan, plan.copy(mtu = 1400u)))
    }

    @Test
    fun `names are read as they are written, and nothing else is`() {
        assertEquals("8056c2e21c000001", NetworkId.parse("8056C2E21C000001").toString())
        assertEquals("8056c2e21c", NetworkId.parse("8056c2e21c000001").controller.toString())
        assertEquals("00:0a:ff:00:00:01", Mac.parse("00:0A:ff:00:00:01").toString())
        assertEquals("0000000000000001", MoonId.parse("1").toString())
        for (wrong in listOf("", "8056c2e21c00000", "8056c2e21c0000011", "8056c2e21c00000g", "-056c2e21c000001")) {
            assertFailsWith<IllegalArgumentException>(wrong) { NetworkId.parse(wrong) }
        }
        assertFailsWith<IllegalArgumentException> { Address(1L shl 40) }
        for (endpoint in listOf("192.0.2.1:9993", "[2001:db8:0:0:0:0:0:1]:9993")) {
            assertEquals(endpoint, formatEndpoint(parseEndpoint(endpoint)))
        }
    }
}
