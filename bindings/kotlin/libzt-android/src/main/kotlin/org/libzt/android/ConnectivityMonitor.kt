package org.libzt.android

import android.content.Context
import android.net.ConnectivityManager
import android.net.LinkProperties
import android.net.Network
import android.net.NetworkCapabilities

/** What is known of the network under the VPN. */
public data class Connectivity(
    /** Whether there is none at all. */
    val offline: Boolean,
    /** Whether somebody pays by the byte. */
    val metered: Boolean,
)

/**
 * Tells when the network under the VPN changes, so that the node looks for its peers anew at once
 * and not when it misses them.
 *
 * [onChange] is called on a thread of the system, first with how things are when it is started.
 */
public class ConnectivityMonitor(
    context: Context,
    private val onChange: (Connectivity) -> Unit,
) : AutoCloseable {
    private val manager = context.getSystemService(ConnectivityManager::class.java)
    private var network: Network? = null
    private var last: Pair<Connectivity, LinkProperties?>? = null
    private var isMetered = false
    private var links: LinkProperties? = null

    private val callback = object : ConnectivityManager.NetworkCallback() {
        override fun onAvailable(network: Network) = update {
            this@ConnectivityMonitor.network = network
            links = null
        }

        override fun onLost(network: Network) = update {
            if (this@ConnectivityMonitor.network == network) this@ConnectivityMonitor.network = null
        }

        override fun onCapabilitiesChanged(network: Network, capabilities: NetworkCapabilities) = update {
            isMetered = !capabilities.hasCapability(NetworkCapabilities.NET_CAPABILITY_NOT_METERED)
        }

        override fun onLinkPropertiesChanged(network: Network, properties: LinkProperties) = update {
            links = properties
        }
    }

    /** Starts telling. */
    public fun start() {
        // The application's own default network is not the VPN as long as its sockets are protected.
        manager.registerDefaultNetworkCallback(callback)
    }

    /** Stops telling. */
    override fun close() {
        manager.unregisterNetworkCallback(callback)
    }

    /** Changes what is known, and tells of it if anything a node can notice has changed. */
    @Synchronized
    private fun update(change: () -> Unit) {
        val before = network
        change()
        val state = Connectivity(offline = network == null, metered = network != null && isMetered) to links
        if (state == last && before == network) return
        last = state
        onChange(state.first)
    }
}
