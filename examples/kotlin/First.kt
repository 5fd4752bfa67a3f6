package org.libzt.example

import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.libzt.Config
import org.libzt.NetworkId
import org.libzt.Node
import org.libzt.Profile

/** Joins a network, and tells what comes for this node: `First DIRECTORY NETWORK`. */
fun main(arguments: Array<String>) = runBlocking {
    val (home, id) = arguments
    Node.start(Config(home, profile = Profile.DESKTOP)).use { node ->
        println("this is ${node.address}, which the controller has to admit")
        val telling = launch { node.events.collect { println(it) } }
        val network = node.join(NetworkId.parse(id))
        println("we are ${network.configured().addresses}")
        network.packets().use { port ->
            port.packets().collect { println("${it.size} bytes") }
        }
        telling.join()
    }
}
