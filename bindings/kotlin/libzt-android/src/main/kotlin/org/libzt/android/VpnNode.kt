package org.libzt.android

import kotlinx.coroutines.flow.Flow
import org.libzt.Conditions
import org.libzt.Config
import org.libzt.Framing
import org.libzt.NetworkId
import org.libzt.Node
import org.libzt.NodeEvent
import org.libzt.Port
import org.libzt.PortMode
import org.libzt.SocketProtector

/** What a [ZtVpnService] needs of a node, so that its tests need no network. */
public interface VpnNode {
    /** What happens from now on; it ends with the node. */
    public val events: Flow<NodeEvent>

    /** Whether a root answers. */
    public val isOnline: Boolean

    /** Joins a network, for now without an interface. */
    public suspend fun join(network: NetworkId)

    /** Gives the network the interface [descriptor] stands for, which may be closed afterwards. */
    public suspend fun attach(network: NetworkId, descriptor: Int)

    /** Says what the network under the VPN is like. */
    public suspend fun setConditions(conditions: Conditions)

    /** Says that it is another one. */
    public suspend fun networkChanged()

    /** Says that the device is short of memory. */
    public suspend fun trimMemory()

    /** Stops the node. */
    public suspend fun stop()
}

/** The real one. */
internal class RealVpnNode private constructor(private val node: Node) : VpnNode {
    override val events: Flow<NodeEvent> get() = node.events

    override val isOnline: Boolean get() = node.status.value.online

    override suspend fun join(network: NetworkId) {
        node.join(network, Port.None)
    }

    override suspend fun attach(network: NetworkId, descriptor: Int) {
        node.network(network).attach(Port.Descriptor(descriptor, PortMode.L3, Framing.PLAIN))
    }

    override suspend fun setConditions(conditions: Conditions): Unit = node.setConditions(conditions)

    override suspend fun networkChanged(): Unit = node.networkChanged()

    override suspend fun trimMemory(): Unit = node.trimMemory()

    override suspend fun stop(): Unit = node.stop()

    companion object {
        suspend fun start(config: Config, protector: SocketProtector): VpnNode =
            RealVpnNode(Node.start(config, protector))
    }
}
