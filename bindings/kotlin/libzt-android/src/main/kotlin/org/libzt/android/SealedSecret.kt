package org.libzt.android

import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import java.io.File
import java.security.GeneralSecurityException
import java.security.KeyStore
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

/**
 * A file with a secret, an identity for instance, sealed by a key that does not leave the device.
 *
 * @param key gives the key; that of Android's Keystore unless a test has another.
 */
public class SealedSecret(
    private val file: File,
    private val key: () -> SecretKey = { keystoreKey("org.libzt") },
) {
    /**
     * Returns the secret, or `null` if there is none.
     *
     * @throws GeneralSecurityException if it was changed, or sealed on another device.
     */
    public fun load(): ByteArray? {
        if (!file.exists()) return null
        val bytes = file.readBytes()
        if (bytes.size < NONCE_LENGTH + TAG_BITS / 8) throw GeneralSecurityException("${file.name} is cut off")
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.DECRYPT_MODE, key(), GCMParameterSpec(TAG_BITS, bytes, 0, NONCE_LENGTH))
        return cipher.doFinal(bytes, NONCE_LENGTH, bytes.size - NONCE_LENGTH)
    }

    /** Seals [secret] and replaces what was there. */
    public fun save(secret: ByteArray) {
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.ENCRYPT_MODE, key())
        val written = File(file.path + ".new")
        written.writeBytes(cipher.iv + cipher.doFinal(secret))
        if (!written.renameTo(file)) throw java.io.IOException("cannot replace $file")
    }

    private companion object {
        const val CIPHER = "AES/GCM/NoPadding"
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
