package org.libzt

import java.net.InetSocketAddress
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.channels.BufferOverflow
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableSharedFlow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.filterNotNull
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onSubscription
import kotlinx.coroutines.flow.takeWhile
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext

/**
 * A running node.
 *
 * Every function may be called on any thread, and what suspends may be cancelled: the node then goes
 * on with what it was asked. Errors are [ZtException]s, and whatever was asked for has then not
 * happened. [stop] or [close] a node; one that is merely forgotten goes on.
 */
public class Node private constructor(private val native: NativeNode, first: NodeStatus) : AutoCloseable {
    /** This node's address. */
    public val address: Address = first.address

    /** This node's identity without its private key, as text. */
    public val identity: String = native.identity()

    /** Where the node's sockets are bound. */
    public val bound: List<InetSocketAddress> = native.bound()

    private val news = MutableSharedFlow<NodeEvent?>(
        extraBufferCapacity = EVENTS_MAX,
        onBufferOverflow = BufferOverflow.DROP_OLDEST,
    )
    private val current = MutableStateFlow(first)
    private val known = MutableStateFlow(emptyMap<NetworkId, NetworkStatus>())

    /** Whether the last event was taken. Set before `null` is sent to whoever listens. */
    @Volatile
    private var isOver = false

    private val reading: Job
    private val stopping = Mutex()

    init {
        reading = CoroutineScope(SupervisorJob() + Dispatchers.Default).launch { read() }
    }

    /** How the node is doing, always up to date. */
    public val status: StateFlow<NodeStatus> get() = current.asStateFlow()

    /** The joined networks that were heard of, always up to date. */
    public val networkStatuses: StateFlow<Map<NetworkId, NetworkStatus>> get() = known.asStateFlow()

    /**
     * What happens from now on. It ends when the node has stopped, and any number of collectors get
     * all of it; one that falls 1024 events behind loses the oldest.
     */
    public val events: Flow<NodeEvent> =
        news.onSubscription { if (isOver) emit(null) }.takeWhile { it != null }.filterNotNull()

    // ---- networks ----

    /**
     * Joins a network, or changes the port of one that is joined. Returns once the port is open; the
     * controller's answer follows as [NodeEvent.Network], and [Network.configured] waits for it.
     *
     * @param fingerprint that of the controller, so that nobody else is taken for it. If somebody else is found
     * there, the network stands at [Standing.IDENTITY_CONFLICT] until the right one is pinned.
     */
    public suspend fun join(
        network: NetworkId,
        port: Port = Port.Packets(PortMode.L3),
        fingerprint: String? = null,
    ): Network {
        ask { join(network, port, fingerprint) }
        return Network(this, network)
    }

    /** A network that is joined, or was: nothing is asked before its functions are called. */
    public fun network(network: NetworkId): Network = Network(this, network)

    /** Every joined network, by ascending ID. */
    public suspend fun networks(): List<NetworkStatus> = ask { networks() }

    /** The networks that were joined when the node last ran, or are joined, by ascending ID. */
    public suspend fun memberships(): List<NetworkId> = ask { memberships() }

    // ---- networks this node controls ----

    /** Makes a network that this node controls. It has to run with [Config.controller]. */
    public suspend fun createNetwork(network: HostedNetwork): NetworkId = ask { createNetwork(network) }

    /** Lets a member onto a network this node controls, whether it has asked yet or not. */
    public suspend fun allow(network: NetworkId, member: Address): Unit = ask { allow(network, member) }

    /** Takes a member off a network this node controls. */
    public suspend fun deny(network: NetworkId, member: Address): Unit = ask { deny(network, member) }

    // ---- peers and roots ----

    /** Every known peer, by ascending address. */
    public suspend fun peers(): List<PeerStatus> = ask { peers() }

    /** Why packets get to a peer the way they do; `null` if no such peer is known. */
    public suspend fun explain(peer: Address): PathExplanation? = ask { explain(peer) }

    /** Lets only the identity of this fingerprint, in any form people write it, hold an address. */
    public suspend fun pin(address: Address, fingerprint: String): Unit = ask { pin(address, fingerprint) }

    /** Takes a pin back, or forgets who was first seen at an address. */
    public suspend fun unpin(address: Address): Unit = ask { unpin(address) }

    /** The fingerprint of whoever is known at an address, this node included. */
    public suspend fun fingerprint(address: Address): String? = ask { fingerprint(address) }

    /** Has nobody but roots for a peer who is not pinned, or anybody again. */
    public suspend fun requirePinned(required: Boolean): Unit = ask { requirePinned(required) }

    /** What is pinned, and who was first seen at other addresses. */
    public suspend fun pins(): PinsStatus = ask { pins() }

    /** Uses the roots of a moon beside those of the planet; asks [seed], one of its roots, for it. */
    public suspend fun orbit(moon: MoonId, seed: Address? = null): Unit = ask { orbit(moon, seed) }

    /** Uses the roots of the moon in a moon file. */
    public suspend fun orbit(file: ByteArray): Unit = ask { orbitFile(file) }

    /** Does without a moon, or no longer asks for it. */
    public suspend fun deorbit(moon: MoonId): Unit = ask { deorbit(moon) }

    /** Which planet and moons are in force and how their roots are reached. */
    public suspend fun worlds(): WorldsStatus = ask { worlds() }

    /**
     * What the node has counted since it started, what it dropped, by reason, and what has woken it; and
     * what its tables take of memory.
     */
    public suspend fun statistics(): Statistics = ask { statistics() }

    /**
     * Goes by `local.conf` and `trustedpaths` as they are, after the user has edited them: rules for
     * physical addresses, bonding and low-bandwidth mode, unless the program has given them itself.
     * What has to wait for the next start, such as a port, and what cannot be understood, is a warning
     * in the log that names its key; the rest counts.
     *
     * @throws ZtException.CorruptState if `local.conf` is no JSON object, or it is not clear what it
     * wants avoided. The node goes on as before.
     * @throws ZtException.Storage if it cannot be read; likewise.
     */
    public suspend fun reloadLocalConf() {
        ask { reloadLocalConf() }
        val trusted = ask { status() }.trustedPaths
        current.update { it.copy(trustedPaths = trusted) }
    }

    // ---- what the host knows of the machine ----

    /**
     * Says that the machine may be in another network: sockets are opened anew, and no path is trusted
     * until it has answered. On Linux the kernel says so itself.
     */
    public suspend fun networkChanged(): Unit = ask { networkChanged() }

    /** Says what the machine's network is like, until told otherwise. Nothing is assumed at first. */
    public suspend fun setConditions(conditions: Conditions): Unit = ask { setConditions(conditions) }

    /** Says that the machine is about to sleep: state is saved, and nothing done until [wake]. */
    public suspend fun sleep(): Unit = ask { sleep() }

    /** Says that the machine is awake again, perhaps in another network. */
    public suspend fun wake(): Unit = ask { wake() }

    /**
     * Says that the machine is short of memory: the node gives back what it can do without, and the system
     * gets the pages, where the allocator has a call for that. Connections in use go on; others are found
     * anew when they are used. To have a node never take more than so much: [Config.memoryBudget].
     */
    public suspend fun trimMemory(): Unit = ask { trimMemory() }

    /**
     * Uses the interface of this name and no other, or all of them if `null`. While there is no such
     * interface, the node has no sockets.
     */
    public suspend fun bindToInterface(name: String?): Unit = ask { bindToInterface(name) }

    /**
     * Has [protector] look at every socket from here on, those there are included. Give it to [start]
     * to have it see them before they are used.
     *
     * @throws ZtException.NotPermitted if it refused one that was in use, which is closed.
     */
    public suspend fun setProtector(protector: SocketProtector) {
        val native = NativeSocketProtector(protector)
        blaming(native) { ask { setProtector(native) } }
    }

    /** The port of the gateway's that leads to this node, if there is one. */
    public suspend fun mappedPort(): MappedPort? = ask { mappedPort() }

    /** What came of asking the gateway for a port; `null` if it is not asked. */
    public suspend fun portMapping(): PortMapping? = ask { portMapping() }

    // ---- the end ----

    /**
     * Stops the node and waits until its state is saved, its interfaces are gone and [events] has
     * ended. Once it has stopped, this does nothing. It is not cancelled half way.
     *
     * @throws ZtException.Timeout if that takes longer than 10 s. The node goes on stopping.
     */
    public suspend fun stop(): Unit = withContext(NonCancellable) {
        stopping.withLock {
            if (reading.isCompleted) return@withLock
            native.stop()
            reading.join()
            native.close()
        }
    }

    /** [stop], for `use { }`. Blocks. */
    override fun close(): Unit = runBlocking { stop() }

    override fun toString(): String = "Node($address)"

    /** Asks the node something, unless it has stopped. */
    internal suspend fun <T> ask(question: suspend NativeNode.() -> T): T = try {
        native.question()
    } catch (problem: IllegalStateException) {
        // What stopped is given back to the library, which is then told of in this way.
        if (problem is CancellationException || !isOver) throw problem
        throw ZtException.Stopped("the node has stopped")
    }

    /** Hands on events until there are no more. */
    private suspend fun read() {
        try {
            for (status in native.networks()) known.value += status.id to status
            while (true) {
                val event = native.nextEvent() ?: break
                note(event)
                news.emit(event)
            }
        } catch (_: ZtException.Stopped) {
            // It stopped between an event and the question it leads to.
        } finally {
            current.value = current.value.copy(online = false)
            isOver = true
            news.emit(null)
        }
    }

    private suspend fun note(event: NodeEvent) {
        when (event) {
            is NodeEvent.Online, is NodeEvent.Worlds -> current.value = native.status()
            is NodeEvent.Network -> known.value += event.status.id to event.status
            is NodeEvent.NetworkLeft -> known.value -= event.network
            else -> {}
        }
    }

    public companion object {
        private const val EVENTS_MAX = 1024

        /**
         * Starts a node. One without an identity makes one, which takes a second or two.
         *
         * If the caller is cancelled meanwhile, the node is stopped.
         *
         * @param protector sees every socket before it is used, from the first on.
         * @param storage keeps what outlives the node, in place of [Config.home], which is then empty.
         * @throws ZtException.Bind if there is no socket to use, because it refused them for instance.
         */
        public suspend fun start(config: Config, protector: SocketProtector? = null, storage: Storage? = null): Node {
            val shown = protector?.let(::NativeSocketProtector)
            val native = blaming(shown) { NativeNode.startWith(config, NativeHooks(shown, storage)) }
            return try {
                Node(native, native.status())
            } catch (problem: Throwable) {
                withContext(NonCancellable) { native.stop() }
                native.close()
                throw problem
            }
        }
    }
}

/** A network of a [node][Node]. */
public class Network internal constructor(
    private val node: Node,
    /** Which. */
    public val id: NetworkId,
) {
    /** How it stands. */
    public suspend fun status(): NetworkStatus = node.ask { network(id) }

    /** Waits until the controller has admitted this node. Give up by `withTimeout`. */
    public suspend fun configured(): NetworkStatus =
        node.networkStatuses.first { it[id]?.standing == Standing.OK }.getValue(id)

    /** Leaves the network and forgets everything about it. */
    public suspend fun leave(): Unit = node.ask { leave(id) }

    /** What the user allows the network. */
    public suspend fun settings(): Settings = node.ask { settings(id) }

    /** Allows the network this much and no more, at once and from now on, until it is left. */
    public suspend fun setSettings(settings: Settings): Unit = node.ask { setSettings(id, settings) }

    /** What the network means for this machine. */
    public suspend fun plan(): TunPlan = node.ask { plan(id) }

    /**
     * What the rules of the network say of a packet [peer] sends to this node, or gets from it. Nothing
     * is sent, and nobody asked.
     */
    public suspend fun wouldAllow(peer: Address, packet: ByteArray, direction: Direction): Verdict =
        node.ask { wouldAllow(id, peer, packet, direction) }

    /** Gives the network another port. A descriptor takes the place of another without loss. */
    public suspend fun attach(port: Port): Unit = node.ask { attach(id, port) }

    /**
     * Opens the packets of a network that was joined by [Port.Packets]. Close them. If they are open
     * already, it is the later port that gets them from then on.
     *
     * @throws ZtException.NotPackets if it has another port.
     */
    public suspend fun packets(): PacketPort = withContext(NonCancellable) {
        // Not cancelled, so that nobody forgets to free what was opened.
        PacketPort(node.ask { openSlabPort(id) }.toLong())
    }

    override fun toString(): String = "Network($id)"
}
