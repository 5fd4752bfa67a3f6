package org.libzt

import java.nio.ByteBuffer

/**
 * Packets back to back in memory that the library reads and writes where it is.
 *
 * Nothing here makes an object per packet, so a slab is made once and used over and over. It is for
 * one thread at a time.
 *
 * @param capacity its size in bytes. Each packet takes two more than its own length.
 */
public class PacketSlab(capacity: Int = DEFAULT_CAPACITY) {
    /** The memory. Packets are at the places [next] and [put] say. */
    public val buffer: ByteBuffer = ByteBuffer.allocateDirect(capacity)

    /** How many packets were put in or received. */
    internal var count: Int = 0
        private set

    /** How many of them [next] went to, or were sent. */
    internal var first: Int = 0
        private set

    /** Where packet number [first] begins. */
    internal var start: Int = 0
        private set

    /** Where the last packet ends. */
    private var end: Int = 0

    /** Where the packet begins that [next] went to, in bytes. */
    public var offset: Int = 0
        private set

    /** The length of that packet, in bytes. */
    public var length: Int = 0
        private set

    /** Whether there are no packets [next] has not gone to. */
    public val isEmpty: Boolean get() = first == count

    /** Forgets all packets. */
    public fun clear() {
        count = 0
        end = 0
        first = 0
        start = 0
    }

    /** Goes to the next packet, which is then at [offset]. Returns whether there is one. */
    public fun next(): Boolean {
        if (isEmpty) return false
        length = lengthOf(first)
        offset = start
        start += length
        first++
        return true
    }

    /** Appends a packet, IPv4 or IPv6 header first. Returns whether there was room. */
    public fun put(packet: ByteArray, from: Int = 0, to: Int = packet.size): Boolean {
        val room = room(to - from) ?: return false
        room.put(packet, from, to - from)
        return true
    }

    /** Appends what is between position and limit of [packet], and moves its position to the limit. */
    public fun put(packet: ByteBuffer): Boolean {
        val room = room(packet.remaining()) ?: return false
        room.put(packet)
        return true
    }

    /** Copies the packet [next] went to. */
    public fun copy(): ByteArray {
        val packet = ByteArray(length)
        val view = buffer.duplicate()
        view.position(offset)
        view.get(packet)
        return packet
    }

    /** Takes in that [packets] were sent, from the first on. */
    internal fun sent(packets: Int) {
        if (packets == count - first) return clear()
        repeat(packets) { start += lengthOf(first++) }
    }

    /** Takes in that so many [packets] were received, which are all there is. */
    internal fun received(packets: Int) {
        clear()
        count = packets
        for (number in 0 until packets) end += lengthOf(number)
    }

    /** Makes room for a packet; [buffer] is then where it goes. */
    private fun room(length: Int): ByteBuffer? {
        require(length in 0..LENGTH_MAX) { "$length bytes are no packet" }
        val place = placeOfLength(count)
        if (end + length > place) return null
        buffer.putShort(place, length.toShort())
        buffer.position(end)
        end += length
        count++
        return buffer
    }

    private fun lengthOf(number: Int): Int = buffer.getShort(placeOfLength(number)).toInt() and 0xffff

    /** Lengths are behind the packets, that of the first at the end: `ffi/src/jni/slab.rs`. */
    private fun placeOfLength(number: Int): Int = buffer.capacity() - LENGTH_LENGTH * (number + 1)

    public companion object {
        /** Room for some hundred packets of the usual size, in bytes. */
        public const val DEFAULT_CAPACITY: Int = 256 * 1024

        private const val LENGTH_LENGTH = 2
        private const val LENGTH_MAX = 0xffff
    }
}
