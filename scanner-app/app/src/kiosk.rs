//! Nobody leaves the window without the PIN, and it comes back by itself.
//!
//! Held here: the window fills the screen, also without a window manager; asked to close, it asks for the
//! PIN; its page goes to no other address and opens no other window; a page whose process has died is loaded
//! again. Shortcuts, menus and dropped files are the page's (`ui/src/kiosk.ts`). Held by the machine's session,
//! not here: other programs, virtual consoles and the power button.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use eventify_scanner_controller::{command::Command, io::Input};
use tauri::{
    AppHandle, Manager as _, Url, WebviewWindow, WebviewWindowBuilder, WindowEvent, Wry,
    webview::NewWindowResponse,
};
use tokio::sync::mpsc;
use webkit2gtk::WebViewExt as _;

use crate::window::LABEL;

/// The scheme of the app's own files.
const OWN_SCHEME: &str = "tauri";

/// WebKit destroys a page that closes itself, and leaves a window without one.
const NO_CLOSE: &str = "Object.defineProperty(window, 'close', { value: () => undefined });";

/// Whether people are kept in the window.
#[derive(Clone, Debug)]
pub(crate) struct Kiosk {
    keeps: Arc<AtomicBool>,
}

impl Kiosk {
    pub(crate) fn new(keeps: bool) -> Self {
        let keeps = Arc::new(AtomicBool::new(keeps));
        Self { keeps }
    }

    fn keeps(&self) -> bool {
        self.keeps.load(Ordering::SeqCst)
    }

    /// Opens the window, as it has to be for that.
    pub(crate) fn open(
        &self,
        window: WebviewWindowBuilder<'_, Wry, AppHandle>,
        inputs: mpsc::Sender<Input>,
    ) -> tauri::Result<WebviewWindow> {
        let keeps = self.keeps();
        let window = window
            .fullscreen(keeps)
            .always_on_top(keeps)
            .decorations(!keeps)
            .devtools(false)
            .initialization_script(NO_CLOSE)
            .on_navigation(is_own)
            .on_new_window(|_, _| NewWindowResponse::Deny)
            .build()?;
        if keeps {
            fill_screen(&window)?;
        }
        let kiosk = self.clone();
        window.on_window_event(move |event| {
            if let WindowEvent::CloseRequested { api, .. } = event
                && kiosk.keeps()
            {
                api.prevent_close();
                // Full only while the app hangs: then it is asked again.
                drop(inputs.try_send(Input::Command(Command::Leave)));
            }
        });
        window.with_webview(|view| {
            view.inner().connect_web_process_terminated(|page, reason| {
                tracing::error!(
                    code = "scanner.page_ended",
                    ?reason,
                    "the page's process has ended; the page is loaded again"
                );
                page.reload();
            });
        })?;
        Ok(window)
    }

    /// The person has entered the PIN, or there is none: from now on this is a window as any other.
    pub(crate) fn leave(&self, app: &AppHandle) {
        self.keeps.store(false, Ordering::SeqCst);
        let Some(window) = app.get_webview_window(LABEL) else {
            return;
        };
        let left = window
            .set_fullscreen(false)
            .and_then(|()| window.set_always_on_top(false))
            .and_then(|()| window.set_decorations(true));
        if let Err(error) = left {
            tracing::error!(code = "scanner.full_screen", %error, "the window does not leave the full screen");
        }
    }
}

fn is_own(url: &Url) -> bool {
    url.scheme() == OWN_SCHEME && url.host_str() == Some("localhost")
}

/// Full screen is a request to a window manager, and a gate need not have one.
fn fill_screen(window: &WebviewWindow) -> tauri::Result<()> {
    if let Some(screen) = window.current_monitor()? {
        window.set_position(*screen.position())?;
        window.set_size(*screen.size())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_goes_to_no_other_address() {
        let goes_to = |url: &str| is_own(&url.parse().expect("an address"));
        assert!(goes_to("tauri://localhost/index.html"));
        for other in [
            "https://example.org/",
            "http://localhost/",
            "file:///etc/passwd",
            "about:blank",
            "data:text/html,out",
            "tauri://elsewhere/",
        ] {
            assert!(!goes_to(other), "{other}");
        }
    }
}
