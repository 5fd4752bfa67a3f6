package org.libzt.android

import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import java.io.File
import java.io.IOException
import java.security.GeneralSecurityException
import java.security.KeyStore
import java.security.SecureRandom
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

/**
 * The key a node's secrets are sealed under, [org.libzt.Config.storageKey].
 *
 * It is in a file, sealed in turn by a key of Android's Keystore, which never leaves the device: so
 * neither a backup nor a copy of the files makes anybody this node.
 *
 * @param seal gives the key it is sealed by; that of the Keystore unless a test has another.
 */
public class StorageKey(
    private val file: File,
    private val seal: () -> SecretKey = { keystoreKey("org.libzt") },
) {
    /**
     * Returns the 32 bytes, which are made if there are none yet.
     *
     * @throws GeneralSecurityException if the file was changed, or sealed on another device. The node's
     *     identity is lost then: delete both, and it is another node.
     */
    public fun get(): ByteArray {
        if (file.exists()) return open(file.readBytes())
        val key = ByteArray(KEY_LENGTH).also { SecureRandom().nextBytes(it) }
        save(seal(key))
        return key
    }

    private fun seal(key: ByteArray): ByteArray {
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.ENCRYPT_MODE, seal())
        return cipher.iv + cipher.doFinal(key)
    }

    private fun open(sealed: ByteArray): ByteArray {
        if (sealed.size != NONCE_LENGTH + KEY_LENGTH + TAG_BITS / 8) throw GeneralSecurityException("$file is no key")
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.DECRYPT_MODE, seal(), GCMParameterSpec(TAG_BITS, sealed, 0, NONCE_LENGTH))
        return cipher.doFinal(sealed, NONCE_LENGTH, sealed.size - NONCE_LENGTH)
    }

    /** Writes the file whole or not at all: what is sealed under a key that is half there is lost. */
    private fun save(sealed: ByteArray) {
        val written = File(file.path + ".new")
        written.outputStream().use {
            it.write(sealed)
            it.fd.sync()
        }
        if (!written.renameTo(file)) throw IOException("cannot make $file")
    }

    private companion object {
        const val CIPHER = "AES/GCM/NoPadding"
        const val KEY_LENGTH = 32
        const val NONCE_LENGTH = 12
        const val TAG_BITS = 128
    }
}

/** Returns a key of this application in Android's Keystore, which makes it when it is first asked for. */
private fun keystoreKey(alias: String): SecretKey {
    val store = KeyStore.getInstance("AndroidKeyStore").apply { load(null) }
    (store.getKey(alias, null) as SecretKey?)?.let { return it }
    val generator = KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, "AndroidKeyStore")
    val purposes = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
    generator.init(
        KeyGenParameterSpec.Builder(alias, purposes)
            .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
            .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
            .setKeySize(256)
            .build(),
    )
    return generator.generateKey()
}
