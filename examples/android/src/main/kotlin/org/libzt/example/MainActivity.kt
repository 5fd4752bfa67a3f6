package org.libzt.example

import android.app.Activity
import android.content.Intent
import android.net.VpnService
import android.os.Bundle
import android.widget.Button
import android.widget.EditText
import android.widget.LinearLayout
import org.libzt.NetworkId
import org.libzt.android.ZtVpnService

/** Asks for a network, and connects and disconnects. */
class MainActivity : Activity() {
    private lateinit var network: EditText

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val preferences = getSharedPreferences("lab", MODE_PRIVATE)
        network = EditText(this).apply {
            hint = "16 digits"
            setText(preferences.getString("network", ""))
        }
        val connect = Button(this).apply {
            text = "Connect"
            setOnClickListener {
                val named = runCatching { NetworkId.parse(network.text.toString()) }
                named.onFailure { network.error = it.message }
                named.onSuccess {
                    preferences.edit().putString("network", "$it").apply()
                    agree()
                }
            }
        }
        val disconnect = Button(this).apply {
            text = "Disconnect"
            setOnClickListener { startService(service().setAction(ZtVpnService.ACTION_DISCONNECT)) }
        }
        setContentView(
            LinearLayout(this).apply {
                orientation = LinearLayout.VERTICAL
                listOf(network, connect, disconnect).forEach { addView(it) }
            },
        )
    }

    /** Has the user agree to a VPN, once; then the service starts. */
    private fun agree() {
        val question = VpnService.prepare(this) ?: return connect()
        @Suppress("DEPRECATION") // Its successor is in a library of Google's.
        startActivityForResult(question, AGREEMENT)
    }

    @Deprecated("as startActivityForResult is")
    override fun onActivityResult(request: Int, result: Int, data: Intent?) {
        if (request == AGREEMENT && result == RESULT_OK) connect()
    }

    private fun connect() {
        startForegroundService(service())
    }

    private fun service() = Intent(this, LabVpnService::class.java)

    private companion object {
        const val AGREEMENT = 1
    }
}
