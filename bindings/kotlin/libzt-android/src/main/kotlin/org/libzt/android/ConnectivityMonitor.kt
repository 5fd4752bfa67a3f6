package org.libzt.android

import android.content.Context
import android.net.ConnectivityManager
import android.net.LinkProperties
import android.net.Network
import android.net.NetworkCapabilities
import android.net.NetworkRequest
import android.os.Build

/** What is known of the network under the VPN. */
public data class Connectivity(
    /** The network; `null` if there is none. */
    val network: Network? = null,
    /** Its addresses and routes. */
    val links: LinkProperties? = null,
    /** Whether somebody pays by the byte. */
    val metered: Boolean = false,
    /** Whether it costs more than elsewhere otherwise, because the device is abroad. */
    val expensive: Boolean = false,
)

/**
 * Tells when the network under the VPN changes, so that the node looks for its peers anew at once
 * and not when it misses them.
 *
 * @param request which networks count; the one this application is given if `null`. Of several, it is
 *     the one that has been there for longest.
 * @param onChange is called on a thread of the system, first with how things are when it is started.
 */
public class ConnectivityMonitor(
    context: Context,
    private val request: NetworkRequest? = null,
    private val onChange: (Connectivity) -> Unit,
) : AutoCloseable {
    private val manager = context.getSystemService(ConnectivityManager::class.java)

    /** The networks there are, the oldest first. */
    private val networks = LinkedHashMap<Network, Seen>()
    private var last: Connectivity? = null

    /** What was told of a network. Both are told right after the network itself. */
    private class Seen(var capabilities: NetworkCapabilities? = null, var links: LinkProperties? = null)

    private val callback = object : ConnectivityManager.NetworkCallback() {
        override fun onAvailable(network: Network) = update {
            // The application has one network at a time, and of the one before nothing more is told.
            if (request == null) networks.clear()
            networks[network] = Seen()
        }

        override fun onLost(network: Network) = update {
            networks.remove(network)
        }

        override fun onCapabilitiesChanged(network: Network, capabilities: NetworkCapabilities) = update {
            networks[network]?.capabilities = capabilities
        }

        override fun onLinkPropertiesChanged(network: Network, properties: LinkProperties) = update {
            networks[network]?.links = properties
        }
    }

    /** Starts telling. */
    public fun start() {
        if (request == null) {
            // That is not the VPN, because the application itself does not take part in it.
            manager.registerDefaultNetworkCallback(callback)
        } else {
            manager.registerNetworkCallback(request, callback)
        }
        // The system calls back only if there is a network.
        if (request != null || manager.activeNetwork == null) update {}
    }

    /** Stops telling. */
    override fun close() {
        manager.unregisterNetworkCallback(callback)
    }

    /** Changes what is known, and tells of it if anything a node can notice has changed. */
    @Synchronized
    private fun update(change: () -> Unit) {
        change()
        val (network, seen) = networks.entries.firstOrNull() ?: return tell(Connectivity())
        val capabilities = seen.capabilities ?: return
        val links = seen.links ?: return
        tell(Connectivity(network, links, capabilities.isMetered(), capabilities.isRoaming()))
    }

    private fun tell(state: Connectivity) {
        if (state == last) return
        last = state
        onChange(state)
    }
}

private fun NetworkCapabilities.isMetered(): Boolean {
    val isFree = Build.VERSION.SDK_INT >= Build.VERSION_CODES.R &&
        hasCapability(NetworkCapabilities.NET_CAPABILITY_TEMPORARILY_NOT_METERED)
    return !isFree && !hasCapability(NetworkCapabilities.NET_CAPABILITY_NOT_METERED)
}

private fun NetworkCapabilities.isRoaming(): Boolean = Build.VERSION.SDK_INT >= Build.VERSION_CODES.P &&
    !hasCapability(NetworkCapabilities.NET_CAPABILITY_NOT_ROAMING)
