//! HTTP clients for servers on loopback: short timeouts, no proxies, no trusted certificates.

use std::sync::OnceLock;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);
/// Servers close a connection that was idle for longer.
const KEPT_IDLE: Duration = Duration::from_secs(10);

/// For use from any runtime: it keeps no connections, because they would die with the test's runtime.
pub(crate) fn client() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| build(0))
}

/// For use from one runtime; it keeps its connections.
pub(crate) fn pooled() -> reqwest::Client {
    build(usize::MAX)
}

fn build(idle_connections: usize) -> reqwest::Client {
    // The client needs a TLS provider even for plain HTTP; an installed one is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .timeout(TIMEOUT)
        .no_proxy()
        .tls_certs_only([])
        .pool_max_idle_per_host(idle_connections)
        .pool_idle_timeout(KEPT_IDLE)
        .build()
        .expect("nothing in this client can fail")
}
