package org.libzt

import java.io.File
import kotlin.test.Test
import kotlin.test.assertTrue

class ReadmeTest {
    @Test
    fun `the first program of the README is the one that is compiled here`() {
        val program = File("src/test/kotlin/org/libzt/FirstProgram.kt").readText().substringAfter("package org.libzt.readme\n\n")

        assertTrue("```kotlin\n$program```" in File("../README.md").readText())
    }
}
