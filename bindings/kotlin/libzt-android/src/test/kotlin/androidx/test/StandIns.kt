@file:Suppress("unused", "UNUSED_PARAMETER", "PackageDirectoryMismatch")

package androidx.test.platform.app

import android.app.Instrumentation
import android.os.Bundle

// Robolectric looks up thirteen classes of androidx.test when it starts. They are on Google's own
// repository only, so these stand in for them: as much of each as Robolectric calls.

object InstrumentationRegistry {
    private var registered: Instrumentation? = null

    @JvmStatic
    fun registerInstance(instrumentation: Instrumentation?, arguments: Bundle?) {
        registered = instrumentation
    }

    @JvmStatic
    fun getInstrumentation(): Instrumentation? = registered
}
