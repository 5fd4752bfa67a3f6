package org.libzt.android

import android.net.ConnectivityManager
import android.net.LinkProperties
import android.net.Network
import android.net.NetworkCapabilities
import android.net.NetworkRequest
import kotlin.test.AfterTest
import kotlin.test.BeforeTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertTrue
import kotlin.test.fail
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowNetwork
import org.robolectric.shadows.ShadowNetworkCapabilities

/** The network under the VPN: what the node's packets go by, and what it is told of it. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], manifest = Config.NONE)
class UnderlayTest {
    private val controller = Robolectric.buildService(TestService::class.java).create()
    private val service: TestService = controller.get()
    private val system = shadowOf(service.getSystemService(ConnectivityManager::class.java))

    private val wifi = ShadowNetwork.newInstance(1)
    private val mobile = ShadowNetwork.newInstance(2)

    @BeforeTest
    fun goOffline() = system.setActiveNetworkInfo(null)

    @AfterTest
    fun destroy() {
        controller.destroy()
    }

    @Test
    fun `every socket is protected before the node uses it, and not used if the system refuses`() {
        val node = connect()

        assertTrue(node.protector.protect(7))
        service.userAgrees = false
        assertFalse(node.protector.protect(8))

        assertEquals(listOf(7), service.protected)
    }

    @Test
    fun `the node is told when there is another network, what it costs, and when there is none`() {
        val node = connect()
        until { node.told.size == 1 }

        appear(wifi, NOT_METERED, NOT_ROAMING)
        until { node.told.size == 3 }
        appear(mobile)
        until { node.told.size == 5 }
        callback().onCapabilitiesChanged(mobile, capabilities(NOT_ROAMING))
        until { node.told.size == 6 }
        callback().onLost(mobile)
        until { node.told.size == 8 }

        val expected = listOf(
            "metered false, expensive false, offline true",
            "metered false, expensive false, offline false", "another network",
            "metered true, expensive true, offline false", "another network",
            "metered true, expensive false, offline false",
            "metered false, expensive false, offline true", "another network",
        )
        assertEquals(expected, node.told)
    }

    @Test
    fun `what a node can notice nothing of is not told`() {
        val node = connect()
        appear(wifi, NOT_METERED, NOT_ROAMING)
        until { node.told.size == 3 }

        callback().onCapabilitiesChanged(wifi, capabilities(NOT_METERED, NOT_ROAMING, NetworkCapabilities.NET_CAPABILITY_MMS))
        callback().onLinkPropertiesChanged(wifi, LinkProperties())
        callback().onLost(wifi)

        until { node.told.size == 5 }
        assertEquals("metered false, expensive false, offline true", node.told[3])
    }

    @Test
    fun `sockets are bound to the network that was asked for, and to no other`() {
        service.request = NetworkRequest.Builder().addTransportType(NetworkCapabilities.TRANSPORT_WIFI).build()
        service.command(null)
        until { system.networkCallbacks.isNotEmpty() }
        assertEquals(0, service.nodes.size)
        appear(wifi, NOT_METERED, NOT_ROAMING)
        until { service.nodes.size == 1 }
        val node = service.nodes.single()

        assertTrue(node.protector.protect(7))
        assertEquals(listOf(7 to wifi), service.bound)

        callback().onLost(wifi)
        until { "metered false, expensive false, offline true" in node.told }
        assertFalse(node.protector.protect(8))
    }

    @Test
    fun `of several networks that were asked for it is the oldest until that is gone`() {
        service.request = NetworkRequest.Builder().build()
        service.command(null)
        until { system.networkCallbacks.isNotEmpty() }
        appear(wifi, NOT_METERED, NOT_ROAMING)
        until { service.nodes.size == 1 }
        appear(mobile)
        val node = service.nodes.single()
        node.protector.protect(7)

        callback().onLost(wifi)
        until { "another network" in node.told }
        node.protector.protect(7)

        assertEquals(listOf(7 to wifi, 7 to mobile), service.bound)
    }

    @Test
    fun `nobody listens to the system once the service has ended`() {
        val node = connect()
        assertEquals(1, system.networkCallbacks.size)

        service.onRevoke()

        until { node.isStopped && system.networkCallbacks.isEmpty() }
    }

    private fun connect(): FakeNode {
        service.command(null)
        until { service.nodes.lastOrNull()?.joined?.size == 1 }
        return service.nodes.last()
    }

    /** Says of a network what the system says of one that is there. */
    private fun appear(network: Network, vararg capabilities: Int) {
        callback().onAvailable(network)
        callback().onCapabilitiesChanged(network, capabilities(*capabilities))
        callback().onLinkPropertiesChanged(network, LinkProperties())
    }

    private fun callback(): ConnectivityManager.NetworkCallback = system.networkCallbacks.single()

    private fun until(condition: () -> Boolean) {
        repeat(1000) {
            if (condition()) return
            Thread.sleep(10)
        }
        fail("it did not happen; problems: ${service.problems}, told: ${service.nodes.map { it.told }}")
    }

    private companion object {
        const val NOT_METERED = NetworkCapabilities.NET_CAPABILITY_NOT_METERED
        const val NOT_ROAMING = NetworkCapabilities.NET_CAPABILITY_NOT_ROAMING

        fun capabilities(vararg present: Int): NetworkCapabilities {
            val capabilities = ShadowNetworkCapabilities.newInstance()
            present.forEach { shadowOf(capabilities).addCapability(it) }
            return capabilities
        }
    }
}
