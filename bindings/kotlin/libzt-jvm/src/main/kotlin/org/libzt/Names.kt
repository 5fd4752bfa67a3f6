package org.libzt

/** A network, by its 64 bits: the address of its controller and a number that controller has given it. */
public data class NetworkId(val value: Long) {
    /** The node that decides who is a member. */
    public val controller: Address get() = Address(value ushr 24)

    /** 16 hexadecimal digits. */
    override fun toString(): String = hex(value, 16)

    public companion object {
        /** Reads 16 hexadecimal digits. Throws [IllegalArgumentException] if it is given anything else. */
        @JvmStatic
        public fun parse(text: String): NetworkId = NetworkId(number(text, 16, "network"))
    }
}

/** A node, by the 40 bits that are derived from its keys. */
public data class Address(val value: Long) {
    init {
        require(value ushr 40 == 0L) { "an address has 40 bits" }
    }

    /** 10 hexadecimal digits. */
    override fun toString(): String = hex(value, 10)

    public companion object {
        /** Reads 10 hexadecimal digits. Throws [IllegalArgumentException] if it is given anything else. */
        @JvmStatic
        public fun parse(text: String): Address = Address(number(text, 10, "address"))
    }
}

/** A moon, by its 64 bits. */
public data class MoonId(val value: Long) {
    /** 16 hexadecimal digits. */
    override fun toString(): String = hex(value, 16)

    public companion object {
        /** Reads up to 16 hexadecimal digits. Throws [IllegalArgumentException] if it is given anything else. */
        @JvmStatic
        public fun parse(text: String): MoonId = MoonId(number(text.trim().padStart(16, '0'), 16, "moon"))
    }
}

/** A hardware address on a network. */
public data class Mac(val value: Long) {
    init {
        require(value ushr 48 == 0L) { "a MAC has 48 bits" }
    }

    /** Six pairs of hexadecimal digits, with colons. */
    override fun toString(): String = hex(value, 12).chunked(2).joinToString(":")

    public companion object {
        /** Reads six pairs of hexadecimal digits. Throws [IllegalArgumentException] if it is given anything else. */
        @JvmStatic
        public fun parse(text: String): Mac {
            val octets = text.split(':')
            require(octets.size == 6 && octets.all { it.length == 2 }) { "\"$text\" is no MAC" }
            return Mac(number(octets.joinToString(""), 12, "MAC"))
        }
    }
}

private fun hex(value: Long, digits: Int): String = java.lang.Long.toHexString(value).padStart(digits, '0')

private fun number(text: String, digits: Int, what: String): Long {
    val trimmed = text.trim()
    require(trimmed.length == digits && trimmed.all { it.code < 128 && Character.digit(it, 16) >= 0 }) {
        "\"$text\" is no $what, which has $digits hexadecimal digits"
    }
    return java.lang.Long.parseUnsignedLong(trimmed, 16)
}
