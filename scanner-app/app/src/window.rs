//! The window: its page asks for each view by `view`, and says by `command` what the person did. Nothing is
//! evaluated in the page: WebKit keeps something of each script that it is given.

use std::time::Duration;

use eventify_scanner_controller::{
    command::Command,
    driver::{App, Config, Effect},
    io::Input,
    view::View,
};
use serde::Serialize;
use tauri::{AppHandle, Manager as _, State, WebviewUrl, WebviewWindowBuilder};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use crate::{Arguments, awake::Awake, imagers, keys, kiosk::Kiosk, sounds::Sounds};

pub(crate) const LABEL: &str = "main";
/// Why the page gets no answer.
const ENDING: &str = "the app is ending";
/// Of a window among others, in pixels: a handheld's screen.
const SIZE: (f64, f64) = (540.0, 960.0);

/// The longest that the page waits for a view; then it asks again.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the page reaches.
struct Controller {
    inputs: mpsc::Sender<Input>,
    views: watch::Receiver<Numbered<View>>,
}

/// A view, and which of all it is. One that is replaced before the page has asked is never missed by anybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Numbered<V> {
    number: u64,
    view: V,
}

/// The first view after the one of this number, which is 0 for a page that has just been loaded; none if there is
/// none for a while.
#[tauri::command]
async fn view(
    controller: State<'_, Controller>,
    after: u64,
) -> Result<Option<Numbered<View>>, &'static str> {
    if after == 0 {
        tracing::info!(code = "scanner.page_loaded", "the window's page is there");
    }
    next(controller.views.clone(), after, PATIENCE).await
}

async fn next<V: Clone>(
    mut views: watch::Receiver<Numbered<V>>,
    after: u64,
    patience: Duration,
) -> Result<Option<Numbered<V>>, &'static str> {
    let newer = views.wait_for(|it| it.number > after);
    match timeout(patience, newer).await {
        Ok(Ok(newer)) => Ok(Some(newer.clone())),
        Ok(Err(_)) => Err(ENDING),
        Err(_) => Ok(None),
    }
}

/// What the person did. Refused only while the app ends.
#[tauri::command]
async fn command(controller: State<'_, Controller>, command: Command) -> Result<(), &'static str> {
    let sent = controller.inputs.send(Input::Command(command)).await;
    sent.map_err(|_| ENDING)
}

/// Until the window is closed.
pub(crate) fn run(arguments: Arguments) -> tauri::Result<()> {
    let _awake = Awake::keep();
    tauri::Builder::default()
        .invoke_handler(tauri::generate_handler![view, command])
        .setup(move |app| Ok(open(app.handle(), &arguments)?))
        .run(tauri::generate_context!())
}

fn open(app: &AppHandle, arguments: &Arguments) -> anyhow::Result<()> {
    let config = Config::in_folder(arguments.data.clone(), &arguments.language);
    let controller = tauri::async_runtime::block_on(async { App::start(&config) })?;
    let (inputs, view) = (controller.inputs(), controller.view());
    let first = Numbered {
        number: 1,
        view: view.borrow().clone(),
    };
    let (numbered, views) = watch::channel(first);
    app.manage(Controller {
        inputs: inputs.clone(),
        views,
    });
    let window = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::default())
        .title("Eventify")
        .inner_size(SIZE.0, SIZE.1);
    let kiosk = Kiosk::new(!arguments.windowed);
    let window = kiosk.open(window, inputs.clone())?;
    keys::take(&window.gtk_window()?, view.clone(), inputs.clone());
    tauri::async_runtime::spawn(number(view, numbered));
    let workers = imagers::open(arguments, &inputs)?;
    app.manage(workers);
    let sounds = Sounds::start(inputs)?;
    tauri::async_runtime::spawn(act(app.clone(), controller, kiosk, sounds));
    Ok(())
}

/// Until the app ends.
async fn number(mut view: watch::Receiver<View>, numbered: watch::Sender<Numbered<View>>) {
    while view.changed().await.is_ok() {
        let newest = view.borrow_and_update().clone();
        numbered.send_modify(|it| {
            it.number += 1;
            it.view = newest;
        });
    }
}

async fn act(app: AppHandle, mut controller: App, kiosk: Kiosk, sounds: Sounds) {
    while let Some(effect) = controller.effect().await {
        match effect {
            Effect::Play { rhythm, volume } => sounds.play(rhythm, volume),
            // No gate hardware that runs this has a motor.
            Effect::Vibrate(_) => {}
            Effect::LeaveFullScreen => kiosk.leave(&app),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(number: u64, view: &'static str) -> Numbered<&'static str> {
        Numbered { number, view }
    }

    #[tokio::test]
    async fn a_page_that_has_just_been_loaded_gets_the_present_view_at_once() {
        let (_sender, views) = watch::channel(numbered(7, "ready"));
        let first = next(views, 0, Duration::ZERO).await;
        assert_eq!(first, Ok(Some(numbered(7, "ready"))));
    }

    #[tokio::test]
    async fn a_page_waits_for_a_newer_view_and_gets_the_newest() {
        let (sender, views) = watch::channel(numbered(1, "ready"));
        let none = next(views.clone(), 1, Duration::ZERO).await;
        assert_eq!(none, Ok(None), "nothing new for as long as it is patient");
        let waiting = tokio::spawn(next(views, 1, PATIENCE));
        tokio::task::yield_now().await;
        drop(sender.send(numbered(2, "checking")));
        drop(sender.send(numbered(3, "verdict")));
        let newest = waiting.await.expect("it does not panic");
        assert_eq!(newest, Ok(Some(numbered(3, "verdict"))));
    }

    #[tokio::test]
    async fn a_page_is_told_that_the_app_is_ending() {
        let (sender, views) = watch::channel(numbered(1, "ready"));
        drop(sender);
        assert_eq!(next(views, 1, PATIENCE).await, Err(ENDING));
    }
}
