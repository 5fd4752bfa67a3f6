@file:Suppress("unused", "UNUSED_PARAMETER", "PackageDirectoryMismatch")

package androidx.test.runner.intent

interface IntentMonitor

object IntentMonitorRegistry {
    private var registered: IntentMonitor? = null

    @JvmStatic
    fun registerInstance(monitor: IntentMonitor?) {
        registered = monitor
    }

    @JvmStatic
    fun getInstance(): IntentMonitor? = registered
}

object IntentStubberRegistry {
    @JvmStatic
    fun isLoaded(): Boolean = false
}
