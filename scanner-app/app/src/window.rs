//! The window: views go to its page as the event `view`, its page calls `command`.

use eventify_scanner_controller::{
    command::Command,
    driver::{App, Config, Effect},
    io::Input,
    view::View,
};
use tauri::{AppHandle, Emitter as _, Manager as _, State, WebviewUrl, WebviewWindowBuilder};
use tokio::sync::{mpsc, watch};

use crate::{Arguments, awake::Awake, imagers, keys, kiosk::Kiosk, sounds::Sounds};

pub(crate) const LABEL: &str = "main";
/// The event with each new view.
const VIEW: &str = "view";
/// Of a window among others, in pixels: a handheld's screen.
const SIZE: (f64, f64) = (540.0, 960.0);

/// What the page reaches.
struct Controller {
    inputs: mpsc::Sender<Input>,
    view: watch::Receiver<View>,
}

/// The present view: what was shown before the page listened.
#[tauri::command]
#[expect(
    clippy::needless_pass_by_value,
    reason = "a command gets its state by value"
)]
fn view(controller: State<'_, Controller>) -> View {
    tracing::info!(code = "scanner.page_loaded", "the window's page is there");
    controller.view.borrow().clone()
}

/// What the person did. Refused only while the app ends.
#[tauri::command]
async fn command(controller: State<'_, Controller>, command: Command) -> Result<(), String> {
    let sent = controller.inputs.send(Input::Command(command)).await;
    sent.map_err(|_| "the app is ending".to_owned())
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
    app.manage(Controller {
        inputs: inputs.clone(),
        view: view.clone(),
    });
    let window = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::default())
        .title("Eventify")
        .inner_size(SIZE.0, SIZE.1);
    let kiosk = Kiosk::new(!arguments.windowed);
    let window = kiosk.open(window, inputs.clone())?;
    keys::take(&window.gtk_window()?, view.clone(), inputs.clone());
    let workers = imagers::open(arguments, &inputs)?;
    app.manage(workers);
    let sounds = Sounds::start(inputs)?;
    tauri::async_runtime::spawn(show(app.clone(), view));
    tauri::async_runtime::spawn(act(app.clone(), controller, kiosk, sounds));
    Ok(())
}

/// Sends the page each view. One that is replaced before it was sent is never missed by anybody.
async fn show(app: AppHandle, mut view: watch::Receiver<View>) {
    while view.changed().await.is_ok() {
        let newest = view.borrow_and_update().clone();
        if let Err(error) = app.emit_to(LABEL, VIEW, newest) {
            tracing::error!(code = "scanner.view_not_shown", %error, "the window did not take a view");
        }
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
