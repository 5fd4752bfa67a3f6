package org.libzt.android

import android.app.Service
import android.content.ComponentCallbacks2
import java.net.InetAddress
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlin.test.fail
import org.junit.runner.RunWith
import org.libzt.Dns
import org.libzt.NodeEvent
import org.libzt.PlanChange
import org.libzt.PlannedRoute
import org.libzt.Prefix
import org.libzt.TunPlan
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], manifest = Config.NONE)
class ZtVpnServiceTest {
    private val controller = Robolectric.buildService(TestService::class.java).create()
    private val service: TestService = controller.get()

    @AfterTest
    fun destroy() {
        controller.destroy()
    }

    @Test
    fun `the interface is what the network asks for`() {
        val node = connect()

        node.tell(plan(PLAN))

        until { node.attached.size == 1 }
        val expected = listOf(
            "mtu 2800", "address 10.1.0.7/24", "route 10.1.0.0/24", "dns 10.1.0.1", "search lab.example",
            "deny ${service.packageName}", "session lab",
        )
        assertEquals(expected, service.builders.single().asked)
        assertEquals(listOf(NETWORK), node.joined)
        assertContentEquals(KEY, node.config.storageKey)
    }

    @Test
    fun `a default route is there only while a root answers`() {
        val node = connect()
        node.isOnline = false
        node.tell(plan(PLAN.copy(routes = PLAN.routes + DEFAULT)))
        until { node.attached.size == 1 }

        node.isOnline = true
        node.tell(NodeEvent.Online(true))

        until { node.attached.size == 2 }
        val (offline, online) = service.builders.map { "route 0.0.0.0/0" in it.asked }
        assertEquals(false to true, offline to online)
    }

    @Test
    fun `applications are chosen, and this one never takes part`() {
        service.chosen = Applications.Only(setOf("org.example.a", service.packageName))
        val node = connect()

        node.tell(plan(PLAN))

        until { node.attached.size == 1 }
        val chosen = service.builders.single().asked.filter { it.startsWith("allow") || it.startsWith("deny") }
        assertEquals(listOf("allow org.example.a"), chosen)
    }

    @Test
    fun `there is one node, however often the system starts the service`() {
        val node = connect()

        assertEquals(Service.START_STICKY, service.command("android.net.VpnService"))
        node.tell(plan(PLAN))

        until { node.attached.size == 1 }
        assertEquals(1, service.nodes.size)
    }

    @Test
    fun `revoking ends the node and the service`() {
        val node = connect()

        service.onRevoke()

        until { node.isStopped }
        assertTrue(shadowOf(service).isStoppedBySelf)
    }

    @Test
    fun `disconnecting ends the node, and connecting starts another`() {
        val first = connect()
        assertEquals(Service.START_NOT_STICKY, service.command(ZtVpnService.ACTION_DISCONNECT))
        until { first.isStopped }

        service.command(null)

        until { service.nodes.size == 2 }
    }

    @Test
    fun `a user who does not agree is a problem, and the node stops`() {
        service.userAgrees = false
        val node = connect()

        node.tell(plan(PLAN))

        until { node.isStopped && service.problems.size == 1 }
        assertTrue(service.problems.single() is SecurityException)
    }

    @Test
    fun `the node is told when the device is short of memory, and of nothing else that is said then`() {
        service.onLowMemory()
        val node = connect()
        fun told() = node.told.count { it == "short of memory" }

        service.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN)
        service.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_RUNNING_LOW)
        until { told() == 1 }
        service.onLowMemory()
        until { told() == 2 }

        service.onRevoke()
        until { node.isStopped }
        service.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_COMPLETE)
        assertEquals(2, told())
    }

    @Test
    fun `destroying the service stops the node`() {
        val node = connect()

        service.onDestroy()

        until { node.isStopped }
    }

    /** Starts the service as Android does for an always-on VPN, and waits until the node has joined. */
    private fun connect(): FakeNode {
        service.command(null)
        until { service.nodes.lastOrNull()?.joined?.size == 1 }
        return service.nodes.last()
    }

    private fun until(condition: () -> Boolean) {
        repeat(1000) {
            if (condition()) return
            Thread.sleep(10)
        }
        fail("it did not happen; problems: ${service.problems}")
    }

    private companion object {
        fun ip(text: String): InetAddress = InetAddress.getByName(text)

        fun plan(plan: TunPlan) = NodeEvent.Plan(NETWORK, plan, PlanChange.REESTABLISH)

        val PLAN = TunPlan(
            mtu = 2800u,
            addresses = listOf(Prefix(ip("10.1.0.7"), 24u)),
            routes = listOf(PlannedRoute(ip("10.1.0.0"), 24u, null, ip("10.1.0.7"))),
            dns = Dns("lab.example", listOf(ip("10.1.0.1"))),
        )
        val DEFAULT = PlannedRoute(ip("0.0.0.0"), 0u, ip("10.1.0.1"), ip("10.1.0.7"))
    }
}
