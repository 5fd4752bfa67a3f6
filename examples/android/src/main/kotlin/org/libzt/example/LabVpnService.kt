package org.libzt.example

import android.app.Notification
import android.app.NotificationChannel
import android.app.NotificationManager
import org.libzt.Config
import org.libzt.NetworkId
import org.libzt.Profile
import org.libzt.TunPlan
import org.libzt.android.TunBuilder
import org.libzt.android.ZtVpnService

/** Makes the device a member of the network the user has named. */
class LabVpnService : ZtVpnService() {
    override suspend fun network(): NetworkId {
        val text = getSharedPreferences("lab", MODE_PRIVATE).getString("network", null)
        return NetworkId.parse(requireNotNull(text) { "no network was named yet" })
    }

    override suspend fun config() = Config(noBackupFilesDir.resolve("zt").path, profile = Profile.PHONE)

    override fun prepare(builder: TunBuilder, plan: TunPlan) = builder.session("Lab")

    override fun notification(): Pair<Int, Notification> {
        val channel = NotificationChannel("vpn", "VPN", NotificationManager.IMPORTANCE_LOW)
        getSystemService(NotificationManager::class.java).createNotificationChannel(channel)
        val notification = Notification.Builder(this, channel.id)
            .setContentTitle("Lab")
            .setSmallIcon(android.R.drawable.ic_lock_lock)
            .build()
        return 1 to notification
    }
}
