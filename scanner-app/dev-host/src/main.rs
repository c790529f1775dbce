//! `eventify-scanner-dev`: the app and the mock node behind a page in the developer's browser.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    sync::Arc,
    thread,
};

use anyhow::{Result, anyhow};
use clap::Parser;
use eventify_scanner_controller::driver::Effect;
use eventify_scanner_dev_host::{CUES, DevHost, Effects, find, listen, serve};
use tokio::{
    select,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// The scanner app's controller at a mock node, driven by a page of this machine's browser.
///
/// Without a window, a display, or anything that is kept. Ends with Ctrl-C. Whoever opens the page is a person of this
/// machine: it listens on loopback alone, and refuses pages of other origins.
#[derive(Debug, Parser)]
struct Arguments {
    /// Address on loopback, for the page's server to pass on to; port 0 is any free one
    #[arg(long, default_value = "127.0.0.1:5274")]
    listen: SocketAddr,
    /// Where the page is served; printed
    #[arg(long, default_value = "http://127.0.0.1:5273/")]
    page: String,
    /// Language until another one is set
    #[arg(long, value_name = "CODE", default_value = "en")]
    language: String,
}

/// Lines of the terminal that wait.
const MAX_LINES: usize = 16;

const PEOPLE: &str = "  PINs: Sam Steward 135790, Sacha Supervisor 246802, Billie Box-Office 975310; Nour New has none
  guests to find (F2, by Sacha or Billie): Amina, Ambre, Zo\u{eb}, Yann; orders 0418 to 0421; seats A-12 to B-03
  whatever else the mock node knows, by its line: `acts refuse too_late`, `search off`, `help`, \u{2026}";

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another TLS provider is installed"))?;
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let listener = listen(arguments.listen).await?;
    let address = listener.local_addr()?;
    let (host, mut effects) = DevHost::start(&arguments.language).await?;
    let host = Arc::new(host);
    tell(&welcome(address, &arguments.page))?;
    let (sender, lines) = mpsc::channel(MAX_LINES);
    // Ends with the process: nobody can wake whoever reads a terminal.
    thread::Builder::new()
        .name("terminal".to_owned())
        .spawn(move || read(&sender))?;
    let ended = select! {
        ended = serve(listener, Arc::clone(&host)) => ended,
        ended = obey(lines, &host) => ended,
        ended = print(&mut effects) => ended,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    effects.stop().await;
    ended
}

fn welcome(address: SocketAddr, page: &str) -> String {
    let cues = CUES.map(|cue| format!("  Alt+{}  {}\n", cue.key, cue.does));
    format!(
        "listening on {address}\n\
         Open {page} for the app at a mock node; Ctrl-C ends both. Keys there, or letters here with Enter:\n\n\
         {cues}\n{PEOPLE}\n  made-up views of every screen, by the arrow keys: {page}?screen=ready\n",
        cues = cues.concat()
    )
}

fn tell(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

fn read(lines: &mpsc::Sender<String>) {
    for line in io::stdin().lines().map_while(Result::ok) {
        if lines.blocking_send(line).is_err() {
            return;
        }
    }
}

/// Cues and the node's own lines. A terminal that is closed ends nothing.
async fn obey(mut lines: mpsc::Receiver<String>, host: &DevHost) -> Result<()> {
    while let Some(line) = lines.recv().await {
        let line = line.trim();
        if let Some(cue) = find(line) {
            host.play(cue).await?;
            tell(cue.does)?;
        } else if !line.is_empty() {
            let obeyed = host.command_node(line);
            tell(obeyed.as_ref().map_or_else(String::as_str, |()| "ok"))?;
        }
    }
    std::future::pending().await
}

async fn print(effects: &mut Effects) -> Result<()> {
    while let Some(effect) = effects.next().await {
        match effect {
            Effect::Play { rhythm, volume } => {
                tell(&format!("sound: {rhythm:?} at volume {volume}"))?;
            }
            // It comes with the sound.
            Effect::Vibrate(_) => {}
            Effect::LeaveFullScreen => tell("the window leaves the full screen")?,
        }
    }
    Err(anyhow!("the app has ended"))
}
