package org.libzt.android

import java.io.File
import java.security.GeneralSecurityException
import javax.crypto.spec.SecretKeySpec
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNull

class SealedSecretTest {
    private val file = File.createTempFile("libzt", null).also { it.delete() }
    private val secret = "0123456789:0:public:secret".toByteArray()

    @AfterTest
    fun delete() {
        file.delete()
    }

    @Test
    fun `a secret is read back, and cannot be read in the file`() {
        assertNull(sealed(1).load())

        sealed(1).save(secret)

        assertContentEquals(secret, sealed(1).load())
        assertFalse("secret" in file.readText(Charsets.ISO_8859_1))
    }

    @Test
    fun `another key, a changed file and one that is cut off are refused`() {
        sealed(1).save(secret)

        assertFailsWith<GeneralSecurityException> { sealed(2).load() }
        val bytes = file.readBytes()
        for (length in bytes.indices) {
            file.writeBytes(bytes.copyOf(length))
            assertFailsWith<GeneralSecurityException>("$length") { sealed(1).load() }
        }
        file.writeBytes(bytes.also { it[20] = (it[20] + 1).toByte() })
        assertFailsWith<GeneralSecurityException> { sealed(1).load() }
    }

    private fun sealed(key: Byte) = SealedSecret(file) { SecretKeySpec(ByteArray(32) { key }, "AES") }
}
