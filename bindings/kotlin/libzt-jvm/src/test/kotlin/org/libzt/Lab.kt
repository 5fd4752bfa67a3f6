package org.libzt

import java.io.File
import java.net.DatagramSocket
import java.net.InetAddress
import java.net.InetSocketAddress
import java.nio.file.Files
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout

/** Long enough for a busy machine, in ms; what is waited for takes much less. */
const val PATIENCE_MS = 60_000L

val LOOPBACK: InetAddress = InetAddress.getByName("127.0.0.1")

/** A root, a controller and one network of it, in this process and over loopback. */
class Lab private constructor(private val dir: File, private val planet: ByteArray) : AutoCloseable {
    private val nodes = mutableListOf<Node>()
    private val names = mutableListOf<String>()
    private lateinit var controller: Node
    lateinit var network: NetworkId
        private set

    /** How a node of this lab is started. Whoever has a name has an identity, so that none has to be made. */
    fun config(name: String) = Config(
        home = File(dir, name).path,
        planet = planet,
        identity = IDENTITIES[names.indexOf(name).takeIf { it >= 0 } ?: names.size.also { names += name }],
        profile = Profile.DESKTOP,
        bind = listOf(InetSocketAddress(LOOPBACK, 0)),
        allowLoopback = true,
    )

    suspend fun node(config: Config, storage: Storage? = null, protector: SocketProtector? = null): Node =
        Node.start(config, protector, storage).also { nodes += it }

    /** Starts a node and has it admitted. */
    suspend fun member(name: String): Pair<Network, InetAddress> {
        val node = node(config(name))
        controller.allow(network, node.address)
        val joined = node.join(network)
        return joined to joined.configured().addresses.first().address
    }

    override fun close() {
        nodes.reversed().forEach { it.close() }
        dir.deleteRecursively()
    }

    companion object {
        /** One a line, with its private key. */
        private val IDENTITIES = File("../../../tests/src/identities.txt").readLines()

        /** Runs [story] in a new lab. */
        fun run(story: suspend Lab.() -> Unit) = runBlocking {
            withTimeout(5 * PATIENCE_MS) { start().use { it.story() } }
        }

        private suspend fun start(): Lab {
            val identity = readIdentity(IDENTITIES.last())
            val endpoint = InetSocketAddress(LOOPBACK, DatagramSocket(0, LOOPBACK).use { it.localPort })
            val planet = makePlanet(1uL, listOf(PlanetRoot(identity.public, listOf(endpoint))), null).planet
            val lab = Lab(Files.createTempDirectory("libzt").toFile(), planet)
            lab.node(lab.config("root").copy(identity = IDENTITIES.last(), bind = listOf(endpoint)))
            lab.controller = lab.node(lab.config("controller").copy(controller = true))
            lab.network = lab.controller.createNetwork(
                HostedNetwork(
                    name = "lab",
                    pools = listOf("10.1.0.1-10.1.0.99"),
                    routes = listOf(Route(InetAddress.getByName("10.1.0.0"), 24u)),
                ),
            )
            return lab
        }
    }
}

/** An IPv4 packet of [length] bytes with UDP in it, from [source] to [destination]. */
fun udpPacket(source: InetAddress, destination: InetAddress, length: Int): ByteArray {
    val packet = ByteArray(length)
    val header = java.nio.ByteBuffer.wrap(packet)
    header.put(0x45).put(0).putShort(length.toShort())
    header.putInt(0).put(64).put(17).putShort(0)
    header.put(source.address).put(destination.address)
    header.putShort(10, checksum(packet, 20))
    header.putShort(5000).putShort(5001).putShort((length - 20).toShort()).putShort(0)
    return packet
}

private fun checksum(bytes: ByteArray, length: Int): Short {
    var sum = 0
    for (at in 0 until length step 2) {
        sum += (bytes[at].toInt() and 0xff shl 8) or (bytes[at + 1].toInt() and 0xff)
    }
    while (sum > 0xffff) sum = (sum and 0xffff) + (sum ushr 16)
    return sum.inv().toShort()
}
