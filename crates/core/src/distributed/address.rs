//! Where this process is, for others.

use std::fs;
use std::net::UdpSocket;

use super::environment::Environment;

pub(super) fn hostname() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "this machine".into(),
        name => name.into(),
    }
}

/// This process's address on the way to the store: the interface by which the others reach it. `None`: it
/// is one that only this machine knows, though others are to come.
pub(super) fn local_address(environment: &Environment) -> Option<String> {
    let Environment { address, port, size, local_size, .. } = environment;
    let host = address.trim_matches(['[', ']']);
    let any = if host.contains(':') { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(any).ok()?;
    // Nothing is sent: the system only chooses the way.
    socket.connect((host, *port)).ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_loopback() || size == local_size).then(|| own.to_string())
}
