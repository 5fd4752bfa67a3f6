package org.libzt.android

import java.io.File
import java.security.GeneralSecurityException
import javax.crypto.spec.SecretKeySpec
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse

class StorageKeyTest {
    private val file = File.createTempFile("libzt", null).also { it.delete() }

    @AfterTest
    fun delete() {
        file.delete()
    }

    @Test
    fun `a key is made once, and cannot be read in the file`() {
        val key = sealed(1).get()

        assertEquals(32, key.size)
        assertContentEquals(key, sealed(1).get())
        assertFalse(key.toString(Charsets.ISO_8859_1) in file.readText(Charsets.ISO_8859_1))
        file.delete()
        assertFalse(key.contentEquals(sealed(1).get()))
    }

    @Test
    fun `another device, a changed file and one that is cut off are refused`() {
        sealed(1).get()

        assertFailsWith<GeneralSecurityException> { sealed(2).get() }
        val bytes = file.readBytes()
        for (length in bytes.indices) {
            file.writeBytes(bytes.copyOf(length))
            assertFailsWith<GeneralSecurityException>("$length") { sealed(1).get() }
        }
        file.writeBytes(bytes.also { it[20] = (it[20] + 1).toByte() })
        assertFailsWith<GeneralSecurityException> { sealed(1).get() }
    }

    private fun sealed(key: Byte) = StorageKey(file) { SecretKeySpec(ByteArray(32) { key }, "AES") }
}
