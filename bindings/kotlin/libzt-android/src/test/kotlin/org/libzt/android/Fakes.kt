package org.libzt.android

import android.app.PendingIntent
import android.content.Intent
import android.net.Network
import android.net.NetworkRequest
import android.os.ParcelFileDescriptor
import java.io.File
import java.net.InetAddress
import java.util.concurrent.CopyOnWriteArrayList
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableSharedFlow
import org.libzt.Conditions
import org.libzt.Config
import org.libzt.NetworkId
import org.libzt.NodeEvent
import org.libzt.Profile
import org.libzt.SocketProtector
import org.libzt.TunPlan

val NETWORK: NetworkId = NetworkId.parse("8056c2e21c000001")

val KEY: ByteArray = ByteArray(32) { 7 }

/** Writes down what it is asked for. */
class FakeTunBuilder(private val agrees: Boolean) : TunBuilder {
    val asked = mutableListOf<String>()

    override fun session(name: String) = note("session $name")
    override fun mtu(bytes: Int) = note("mtu $bytes")
    override fun address(address: InetAddress, bits: Int) = note("address ${address.hostAddress}/$bits")
    override fun route(target: InetAddress, bits: Int) = note("route ${target.hostAddress}/$bits")
    override fun dnsServer(server: InetAddress) = note("dns ${server.hostAddress}")
    override fun searchDomain(domain: String) = note("search $domain")
    override fun allow(packageName: String) = note("allow $packageName")
    override fun deny(packageName: String) = note("deny $packageName")
    override fun configureIntent(intent: PendingIntent) = note("intent")

    override fun establish(): ParcelFileDescriptor? {
        if (!agrees) return null
        return ParcelFileDescriptor.open(File("/dev/null"), ParcelFileDescriptor.MODE_READ_WRITE)
    }

    private fun note(what: String) {
        asked += what
    }
}

class FakeNode(val config: Config, val protector: SocketProtector) : VpnNode {
    private val news = MutableSharedFlow<NodeEvent>(extraBufferCapacity = 16)
    val joined = mutableListOf<NetworkId>()
    val attached = mutableListOf<Int>()
    val told = CopyOnWriteArrayList<String>()
    var isStopped = false

    override val events: Flow<NodeEvent> get() = news
    override var isOnline = true

    override suspend fun join(network: NetworkId) {
        joined += network
    }

    override suspend fun attach(network: NetworkId, descriptor: Int) {
        attached += descriptor
    }

    override suspend fun setConditions(conditions: Conditions) {
        val (metered, expensive, offline) = conditions
        told += "metered $metered, expensive $expensive, offline $offline"
    }

    override suspend fun networkChanged() {
        told += "another network"
    }

    override suspend fun trimMemory() {
        told += "short of memory"
    }

    override suspend fun stop() {
        isStopped = true
    }

    fun tell(event: NodeEvent) = check(news.tryEmit(event))
}

/** A service with a node and a system that do as they are told. */
class TestService : ZtVpnService() {
    val nodes = mutableListOf<FakeNode>()
    val builders = mutableListOf<FakeTunBuilder>()
    val problems = mutableListOf<Exception>()
    val protected = mutableListOf<Int>()
    val bound = mutableListOf<Pair<Int, Network>>()
    var userAgrees = true
    var chosen: Applications = Applications.All
    var request: NetworkRequest? = null

    override suspend fun network() = NETWORK
    override suspend fun config() = Config(home = filesDir.path, profile = Profile.PHONE)
    override fun applications() = chosen
    override suspend fun storageKey() = KEY
    override fun networkRequest() = request
    override fun protect(socket: Int) = userAgrees && protected.add(socket)
    override fun prepare(builder: TunBuilder, plan: TunPlan) = builder.session("lab")

    override fun onProblem(problem: Exception) {
        problems += problem
    }

    override suspend fun start(config: Config, protector: SocketProtector): VpnNode =
        FakeNode(config, protector).also { nodes += it }

    override fun bind(socket: Int, network: Network) {
        bound += socket to network
    }

    override fun tunBuilder(): TunBuilder = FakeTunBuilder(userAgrees).also { builders += it }

    fun command(action: String?) = onStartCommand(action?.let { Intent(it) }, 0, 1)
}
