//! The demo as the end-to-end test, a broker that is blocked, the scanner app in its real window, `up` for a day, and
//! the demo and `up` as commands.

mod blocked;
mod commands;
mod story;
mod up;
mod window;

use std::sync::Once;

use tokio::sync::Mutex;

/// Worlds that stand one after the other: each keeps two processors busy, and its nodes lock when they
/// wait too long.
static ONE_WORLD: Mutex<()> = Mutex::const_new(());

/// The process's TLS library, whichever test comes first.
fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        rustls::crypto::ring::default_provider()
            .install_default()
            .expect("the only provider");
    });
}
