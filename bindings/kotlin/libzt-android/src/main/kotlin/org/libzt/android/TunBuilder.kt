package org.libzt.android

import android.app.PendingIntent
import android.content.pm.PackageManager
import android.net.VpnService
import android.os.Build
import android.os.ParcelFileDescriptor
import android.util.Log
import java.net.InetAddress
import org.libzt.TunPlan

/** What is needed of [VpnService.Builder], so that tests need no Android. */
public interface TunBuilder {
    public fun session(name: String)
    public fun mtu(bytes: Int)
    public fun address(address: InetAddress, bits: Int)
    public fun route(target: InetAddress, bits: Int)
    public fun dnsServer(server: InetAddress)
    public fun searchDomain(domain: String)

    /** Has only these applications use the network; to be called before [establish], not with [deny]. */
    public fun allow(packageName: String)

    /** Has all applications but these use it. */
    public fun deny(packageName: String)

    /** What is shown when the user taps on the system's key symbol. */
    public fun configureIntent(intent: PendingIntent)

    /** Makes the interface; `null` if the user has not agreed, or no longer does. */
    public fun establish(): ParcelFileDescriptor?
}

/** Which applications take part in the networks. */
public sealed class Applications {
    /** Every one on the device. */
    public object All : Applications()

    /** These, by package name. */
    public data class Only(val packageNames: Set<String>) : Applications() {
        init {
            // The system would take that for everybody.
            require(packageNames.isNotEmpty()) { "no application at all would take part" }
        }
    }

    /** All but these. */
    public data class Except(val packageNames: Set<String>) : Applications()
}

/** Describes the interface [plan] asks for. A default route counts only while the node is [online]. */
internal fun TunBuilder.describe(plan: TunPlan, applications: Applications, online: Boolean) {
    mtu(plan.mtu.toInt())
    plan.addresses.forEach { address(it.address, it.bits.toInt()) }
    plan.routes.filter { online || it.bits.toInt() > 0 }.forEach { route(it.target, it.bits.toInt()) }
    plan.dns?.let { dns ->
        dns.servers.forEach { dnsServer(it) }
        if (dns.domain.isNotEmpty()) searchDomain(dns.domain)
    }
    when (applications) {
        is Applications.All -> {}
        is Applications.Only -> applications.packageNames.forEach { allow(it) }
        is Applications.Except -> applications.packageNames.forEach { deny(it) }
    }
}

/** The real one. */
internal class VpnTunBuilder(private val builder: VpnService.Builder) : TunBuilder {
    init {
        builder.setBlocking(false)
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) builder.setMetered(false)
    }

    override fun session(name: String) {
        builder.setSession(name)
    }

    override fun mtu(bytes: Int) {
        builder.setMtu(bytes)
    }

    override fun address(address: InetAddress, bits: Int) {
        builder.addAddress(address, bits)
    }

    override fun route(target: InetAddress, bits: Int) {
        builder.addRoute(target, bits)
    }

    override fun dnsServer(server: InetAddress) {
        builder.addDnsServer(server)
    }

    override fun searchDomain(domain: String) {
        builder.addSearchDomain(domain)
    }

    override fun allow(packageName: String): Unit = ifInstalled(packageName) { builder.addAllowedApplication(it) }

    override fun deny(packageName: String): Unit = ifInstalled(packageName) { builder.addDisallowedApplication(it) }

    override fun configureIntent(intent: PendingIntent) {
        builder.setConfigureIntent(intent)
    }

    override fun establish(): ParcelFileDescriptor? = builder.establish()

    /** An application that was uninstalled is no reason to go without a network. */
    private fun ifInstalled(packageName: String, add: (String) -> Unit) {
        try {
            add(packageName)
        } catch (missing: PackageManager.NameNotFoundException) {
            Log.w("libzt", "no application $packageName", missing)
        }
    }
}
