internal import Glibc

/// Makes close(2) reset a connection instead of ending it in order: what the kernel has for the client is dropped (socket(7),
/// SO_LINGER).
func resetAtClose(_ socket: Int32) {
    var immediately = linger(l_onoff: 1, l_linger: 0)
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &immediately, socklen_t(MemoryLayout<linger>.size))
}
