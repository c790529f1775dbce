//! HTTP clients for peers on loopback: short limits, no proxies, no trust in anybody's TLS.

use std::sync::OnceLock;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

/// For use from any runtime: it keeps no connection, because one kept by a test that has ended is dead.
pub(crate) fn client() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| build(0))
}

/// For use from one runtime alone; it keeps its connections.
pub(crate) fn pooled() -> reqwest::Client {
    build(usize::MAX)
}

fn build(idle_connections: usize) -> reqwest::Client {
    // The client asks for a process-wide TLS provider even where it never speaks TLS. One that is
    // installed already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .timeout(LIMIT)
        .no_proxy()
        .tls_certs_only([])
        .pool_max_idle_per_host(idle_connections)
        .build()
        .expect("a client without files or proxies has nothing that can fail")
}
