package org.libzt

import java.net.Inet6Address
import java.net.InetAddress
import java.net.InetSocketAddress

/** Reads an IP address the library has written. No name is looked up: it never writes one. */
internal fun parseIp(text: String): InetAddress = InetAddress.getByName(text)

internal fun formatIp(ip: InetAddress): String = ip.hostAddress.substringBefore('%')

/** Reads `192.0.2.1:9993` or `[2001:db8::1%2]:9993`. */
internal fun parseEndpoint(text: String): InetSocketAddress {
    val colon = text.lastIndexOf(':')
    val ip = text.substring(0, colon).removeSurrounding("[", "]")
    return InetSocketAddress(InetAddress.getByName(ip), text.substring(colon + 1).toInt())
}

internal fun formatEndpoint(endpoint: InetSocketAddress): String {
    val ip = requireNotNull(endpoint.address) { "$endpoint is not resolved" }
    if (ip !is Inet6Address) return "${ip.hostAddress}:${endpoint.port}"
    val scope = if (ip.scopeId != 0) "%${ip.scopeId}" else ""
    return "[${formatIp(ip)}$scope]:${endpoint.port}"
}
