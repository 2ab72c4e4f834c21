//! A print shop: a worked example of a highly available service. See the README beside it.

mod printer;
mod shop;
mod worker;

use std::process::ExitCode;

/// Where the servers of the example listen for clients.
pub const SERVERS: &str = "127.0.0.1:21810,127.0.0.1:21811,127.0.0.1:21812";
/// The first server's port.
pub const PORT: &str = "21810";
/// Where everything is.
pub const FOLDER: &str = "./print-shop-data";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        [] => shop::run().await,
        ["worker", name] => worker::run(name).await,
        _ => Err("usage: print-shop, or print-shop worker NAME".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("print-shop: {error}");
            ExitCode::FAILURE
        }
    }
}
