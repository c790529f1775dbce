//! `eventify-mock-node`: prints a pairing code, and obeys its standard input.

use std::{
    io::{Write as _, stdin, stdout},
    net::SocketAddr,
};

use anyhow::Result;
use clap::Parser;
use eventify_scanner_mock_node::{MockNode, WORDS};
use tokio::runtime::Runtime;

/// A node that plays a part, for the scanner app without a venue.
#[derive(Debug, Parser)]
struct Arguments {
    /// Address to listen on; port 0 is any free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = Runtime::new()?;
    let node = runtime.block_on(MockNode::start(arguments.listen))?;
    let mut out = stdout();
    let texts = WORDS.map(|word| format!("MOCK:{word}")).join(" ");
    writeln!(out, "listening on {}", node.address())?;
    writeln!(out, "texts to scan: {texts}")?;
    writeln!(out, "pair with: {}", node.pairing_code())?;
    for line in stdin().lines() {
        match line?.trim() {
            "" => {}
            "pair" => writeln!(out, "pair with: {}", node.pairing_code())?,
            line => match node.command(line) {
                Ok(()) => writeln!(out, "ok")?,
                Err(help) => writeln!(out, "pair | {help}")?,
            },
        }
    }
    // Without an input it goes on until it is ended.
    loop {
        std::thread::park();
    }
}
