package org.libzt.android

import android.app.Notification
import android.content.Intent
import android.net.Network
import android.net.NetworkRequest
import android.net.VpnService
import android.os.ParcelFileDescriptor
import android.util.Log
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.filterNotNull
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import org.libzt.Conditions
import org.libzt.Config
import org.libzt.NetworkId
import org.libzt.NodeEvent
import org.libzt.SocketProtector
import org.libzt.TunPlan
import org.libzt.ZtException

/**
 * An Android VPN that is a member of a network.
 *
 * Say which network and how the node is to run, put the service into the manifest, ask the user by
 * [VpnService.prepare], and start it with [android.content.Context.startForegroundService]; with
 * [ACTION_DISCONNECT] it stops. The system starts it as well, if the user has chosen it as the
 * always-on VPN. The README of the binding shows all of that.
 *
 * The functions to override are called on a thread that may wait, except [notification].
 */
public abstract class ZtVpnService : VpnService() {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.IO)
    private var membership: Job? = null

    /** The node, while there is one. */
    @Volatile
    private var running: VpnNode? = null

    /** The network to be a member of. */
    protected abstract suspend fun network(): NetworkId

    /** How the node is to run: `Config(noBackupFilesDir.resolve("zt").path, profile = Profile.PHONE)`. */
    protected abstract suspend fun config(): Config

    /** The key the node's secrets are sealed under before they are stored; `null` for none. */
    protected open suspend fun storageKey(): ByteArray? = StorageKey(noBackupFilesDir.resolve("org.libzt.key")).get()

    /** Which applications take part. This one never does, so that the node's own packets go around. */
    protected open fun applications(): Applications = Applications.All

    /** Which networks the node's own packets may go by; whichever the system prefers if `null`. */
    protected open fun networkRequest(): NetworkRequest? = null

    /** Adds to what [plan] asks for, the name of the session for instance, before the interface is made. */
    protected open fun prepare(builder: TunBuilder, plan: TunPlan) {}

    /** The notification a foreground service has to show, and its ID; `null` for a service that is none. */
    protected open fun notification(): Pair<Int, Notification>? = null

    /** Something happened. */
    protected open fun onEvent(event: NodeEvent) {}

    /** The node could not start or join, or the user does not agree to the VPN any more. It is stopped. */
    protected open fun onProblem(problem: Exception) {
        Log.e("libzt", "the VPN has ended", problem)
    }

    /** Starts a node. Tests have another. */
    protected open suspend fun start(config: Config, protector: SocketProtector): VpnNode =
        RealVpnNode.start(config, protector)

    /** Has a socket send by this network and no other. Tests do not. */
    protected open fun bind(socket: Int, network: Network) {
        ParcelFileDescriptor.fromFd(socket).use { network.bindSocket(it.fileDescriptor) }
    }

    /** Describes an interface to the system. Tests have another. */
    protected open fun tunBuilder(): TunBuilder = VpnTunBuilder(Builder())

    /** Connects, whoever asks, the application or the system, unless the intent says the opposite. */
    override fun onStartCommand(intent: Intent?, flags: Int, startId: Int): Int {
        if (intent?.action == ACTION_DISCONNECT) {
            disconnect()
            return START_NOT_STICKY
        }
        notification()?.let { (id, notification) -> startForeground(id, notification) }
        if (membership?.isActive != true) {
            membership = scope.launch { takePart() }
        }
        return START_STICKY
    }

    /** The user has chosen another VPN, or none. */
    override fun onRevoke() {
        disconnect()
    }

    /** The device is short of memory, unless [level] only says that the user looks elsewhere. */
    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        if (level != TRIM_MEMORY_UI_HIDDEN) trimMemory()
    }

    /** The device has hardly any memory left. */
    override fun onLowMemory() {
        super.onLowMemory()
        trimMemory()
    }

    override fun onDestroy() {
        scope.cancel()
        super.onDestroy()
    }

    private fun disconnect() {
        membership?.cancel()
        membership = null
        stopSelf()
    }

    private fun trimMemory() {
        val node = running ?: return
        scope.launch {
            try {
                node.trimMemory()
            } catch (_: ZtException.Stopped) {
                // Then it has given back everything.
            }
        }
    }

    /** Takes part until the node, or this, is ended. */
    private suspend fun takePart() {
        try {
            val request = networkRequest()
            val connectivity = MutableStateFlow<Connectivity?>(null)
            ConnectivityMonitor(this, request) { connectivity.value = it }.use { monitor ->
                monitor.start()
                // Without a network it may go by, there is no socket for a node to start with.
                if (request != null) connectivity.first { it?.network != null }
                run(connectivity) { socket ->
                    val network = connectivity.value?.network
                    if (request != null && network != null) bind(socket, network)
                    protect(socket) && (request == null || network != null)
                }
            }
        } catch (problem: CancellationException) {
            throw problem
        } catch (problem: Exception) {
            onProblem(problem)
            stopSelf()
        }
    }

    /** Runs a node until it, or this, is ended. */
    private suspend fun run(connectivity: StateFlow<Connectivity?>, protector: SocketProtector) {
        val before = connectivity.value
        val network = network()
        val node = start(config().copy(storageKey = storageKey()), protector)
        running = node
        try {
            coroutineScope {
                // It has to listen before anything can happen.
                val following = launch(start = CoroutineStart.UNDISPATCHED) { follow(node, network) }
                val telling = launch { tell(node, before, connectivity.filterNotNull()) }
                node.join(network)
                following.join()
                telling.cancel()
            }
        } finally {
            running = null
            withContext(NonCancellable) { node.stop() }
        }
    }

    /** Tells a node of the network under the VPN, where that is not as it was when the node started. */
    private suspend fun tell(node: VpnNode, before: Connectivity?, connectivity: Flow<Connectivity>) {
        var known = before
        connectivity.collect { state ->
            node.setConditions(Conditions(state.metered, state.expensive, offline = state.network == null))
            val isElsewhere = known?.let { it.network != state.network || it.links != state.links }
            if (isElsewhere == true) node.networkChanged()
            known = state
        }
    }

    /** Has the interface be as the network wants it. */
    private suspend fun follow(node: VpnNode, network: NetworkId) {
        var plan: TunPlan? = null
        node.events.collect { event ->
            when {
                event is NodeEvent.Plan && event.network == network -> plan = event.plan
                event is NodeEvent.Online && plan.hasDefaultRoute() -> {}
                else -> return@collect onEvent(event)
            }
            plan?.let { establish(node, network, it) }
            onEvent(event)
        }
    }

    /** Makes an interface and gives it to the node, in the place of the last one. */
    private suspend fun establish(node: VpnNode, network: NetworkId, plan: TunPlan) {
        // Android makes no interface without an address; there will be a plan with one.
        if (plan.addresses.isEmpty()) return
        val builder = tunBuilder()
        builder.describe(plan, applications().without(packageName), node.isOnline)
        prepare(builder, plan)
        val descriptor = builder.establish() ?: throw SecurityException("the user has not agreed to a VPN")
        // The node has a duplicate.
        descriptor.use { node.attach(network, it.fd) }
    }

    private fun TunPlan?.hasDefaultRoute(): Boolean = this?.routes?.any { it.bits.toInt() == 0 } == true

    private fun Applications.without(packageName: String): Applications = when (this) {
        is Applications.All -> Applications.Except(setOf(packageName))
        is Applications.Only -> Applications.Only(packageNames - packageName)
        is Applications.Except -> Applications.Except(packageNames + packageName)
    }

    public companion object {
        /** Started with this, the service ends the VPN and itself. */
        public const val ACTION_DISCONNECT: String = "org.libzt.android.DISCONNECT"
    }
}
