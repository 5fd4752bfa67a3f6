package org.libzt

import java.io.IOException
import java.util.concurrent.ConcurrentHashMap
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertTrue

class StorageTest {
    @Test
    fun `a node is kept where the program wants it, and its identity sealed`() = Lab.run {
        val memory = Memory()
        val config = config("alice").copy(home = "", identity = null, storageKey = ByteArray(32) { 1 })
        val first = node(config, storage = memory)
        first.join(network)
        first.stop()

        assertFalse(memory.kept.getValue("identity.secret").toString(Charsets.UTF_8).startsWith("${first.address}:"))
        val second = node(config, storage = memory)
        assertEquals(first.address to listOf(network), second.address to second.memberships())
        second.stop()

        for (key in listOf(null, ByteArray(32) { 2 })) {
            assertFailsWith<ZtException.Sealed> { node(config.copy(storageKey = key), storage = memory) }
        }
    }

    @Test
    fun `a storage that throws is the reason a node does not start`() = Lab.run {
        val broken = object : Storage by Memory() {
            override fun read(name: String) = throw IOException("the disk is gone")
        }

        val failure = assertFailsWith<ZtException.Storage> { node(config("alice").copy(home = ""), storage = broken) }

        assertTrue("the disk is gone" in failure.message.orEmpty(), failure.message)
    }

    private class Memory : Storage {
        val kept = ConcurrentHashMap<String, ByteArray>()

        override fun read(name: String): ByteArray? = kept[name]

        override fun write(name: String, bytes: ByteArray) {
            kept[name] = bytes
        }

        override fun remove(name: String) {
            kept -= name
        }

        override fun list(prefix: String): List<String> = kept.keys.filter { it.startsWith(prefix) }
    }
}
