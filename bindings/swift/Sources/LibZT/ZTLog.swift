/// What the library says to whoever looks for the cause of something, in all nodes of the process.
public enum ZTLog {
    /// Sets what is said from now on. Nothing is unless this is called.
    public static func setLevel(_ level: LogLevel) throws(ZTError) {
        try translated { try setLogLevel(level: level) }
    }

    /// What is said, without end. Each record is given to one reader; at most 1024 wait.
    public static var records: AsyncStream<LogRecord> {
        AsyncStream { await nextLogRecord() }
    }
}
