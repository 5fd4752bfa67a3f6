package org.libzt.readme

import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.*
import org.libzt.*

fun main(arguments: Array<String>) = runBlocking {
    Node.start(Config("zt", profile = Profile.DESKTOP)).use { node ->
        println("this is ${node.address}")
        val listening = launch { node.events.collect { println(it) } }

        val network = node.join(NetworkId.parse(arguments[0]))
        val status = withTimeoutOrNull(30.seconds) { network.configured() }
        println(status?.addresses ?: "the controller of $network has not admitted ${node.address}")

        network.packets().use { port ->
            withTimeoutOrNull(60.seconds) { port.packets().collect { println("${it.size} bytes") } }
        }
        listening.cancel()
    }
}
