package org.libzt

import java.io.File
import kotlin.test.Test
import kotlin.test.assertTrue

class LeakTest {
    /** A hundred nodes after one another leave no descriptor, no thread and hardly any memory. */
    @Test
    fun `a hundred starts and stops leave nothing behind`() = Lab.run {
        val config = config("alice")
        // What is made once, and what the JVM takes before it collects, is not counted.
        repeat(20) { cycle(config) }
        val before = Usage.now()

        repeat(100) { cycle(config) }

        val after = Usage.now()
        assertTrue(after.descriptors <= before.descriptors + 2, "$before, then $after")
        assertTrue(after.threads <= before.threads + 2, "$before, then $after")
        assertTrue(after.residentKb <= before.residentKb + 24 * 1024, "$before, then $after")
    }

    private suspend fun Lab.cycle(config: Config) {
        Node.start(config).use { node -> node.join(network).packets().close() }
    }

    private data class Usage(val descriptors: Int, val threads: Int, val residentKb: Int) {
        companion object {
            fun now(): Usage {
                System.gc()
                Thread.sleep(500)
                return Usage(
                    descriptors = File("/proc/self/fd").list().orEmpty().size,
                    threads = File("/proc/self/task").list().orEmpty().size,
                    residentKb = File("/proc/self/status").readLines()
                        .first { it.startsWith("VmRSS") }.filter(Char::isDigit).toInt(),
                )
            }
        }
    }
}
