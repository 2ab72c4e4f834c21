//! The commands as they come: one after another on one connection. Source: `ZooKeeperMain`.

use crate::client::{Client, Config, ConnectString};
use crate::command::usage_of_all;
use crate::console::Console;
use crate::error::CliError;
use crate::exec;
use crate::options::Options;
use crate::parse::parse;
use crate::words;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long the first prompt waits for the state that it shows.
const SETTLE: Duration = Duration::from_secs(1);

/// How many earlier commands `history` shows.
const HISTORY_SHOWN: usize = 10;

/// The present connection, if there is one; the completion of paths asks it too.
#[derive(Clone, Default)]
pub struct Current(Arc<Mutex<Option<Arc<Client>>>>);

impl Current {
    /// The client.
    pub fn get(&self) -> Option<Arc<Client>> {
        self.lock().clone()
    }

    fn set(&self, client: Arc<Client>) {
        *self.lock() = Some(client);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Client>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether to read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Yes.
    Next,
    /// No: `quit`.
    Quit,
}

/// Runs commands.
pub struct Shell {
    console: Arc<dyn Console>,
    options: Options,
    current: Current,
    host: String,
    history: Vec<String>,
    print_watches: Arc<AtomicBool>,
    /// What the last command ended with.
    pub exit_code: u8,
}

impl Shell {
    /// Connects to nothing yet.
    pub fn new(console: Arc<dyn Console>, options: Options) -> Self {
        Self {
            console,
            host: options.server.clone(),
            options,
            current: Current::default(),
            history: Vec::new(),
            print_watches: Arc::new(AtomicBool::new(true)),
            exit_code: 0,
        }
    }

    /// The connection, now and after each `connect`.
    pub fn current(&self) -> Current {
        self.current.clone()
    }

    /// Ends the present session and starts one with `host`.
    pub fn connect(&mut self, host: &str) -> Result<(), CliError> {
        if let Some(client) = self.current.get() {
            client.close();
        }
        self.host = host.to_owned();
        let timeout = self.options.timeout()?;
        let config = Config {
            connect: ConnectString::parse(host).map_err(CliError::new)?,
            timeout,
            read_only: self.options.read_only,
        };
        let console = Arc::clone(&self.console);
        let print = Arc::clone(&self.print_watches);
        let client = Client::start(config, move |event| {
            if print.load(Ordering::Relaxed) {
                console.event(&format!("\nWATCHER::\n\n{event}\n"));
            }
        })
        .map_err(|error| CliError::new(format!("cannot start a thread: {error}")))?;
        let client = Arc::new(client);
        self.current.set(Arc::clone(&client));
        if !self.options.wait_for_connection {
            return Ok(());
        }
        client.wait_connected(timeout).map_err(|error| {
            client.close();
            CliError::request(&error, "")
        })
    }

    /// Gives a new connection a moment, so that the prompt tells how it went.
    pub fn settle(&self) {
        if let Some(client) = self.current.get() {
            client.wait_settled(SETTLE);
        }
    }

    /// `[zk: host(STATE) n] `
    pub fn prompt(&self) -> String {
        let state = self.current.get().map(|client| client.state());
        let state = state.map_or("NOT_CONNECTED".to_owned(), |state| state.to_string());
        format!("[zk: {}({state}) {}] ", self.host, self.history.len())
    }

    /// Runs a line. Lines without a word are nothing.
    pub fn run_line(&mut self, line: &str) -> Flow {
        let words = words::split(line);
        if words.is_empty() {
            return Flow::Next;
        }
        self.history.push(line.to_owned());
        self.run(&words)
    }

    /// Runs a command.
    pub fn run(&mut self, words: &[String]) -> Flow {
        match self.process(words) {
            Ok(Flow::Quit) => Flow::Quit,
            Ok(Flow::Next) => {
                self.exit_code = 0;
                Flow::Next
            }
            Err(error) => {
                self.exit_code = error.exit_code;
                self.console.err(&format!("{}\n", error.message));
                Flow::Next
            }
        }
    }

    fn process(&mut self, words: &[String]) -> Result<Flow, CliError> {
        let Some((name, args)) = words.split_first() else {
            return Ok(Flow::Next);
        };
        let arg = args.first().map(String::as_str);
        match (name.as_str(), arg) {
            ("quit" | "exit", _) => {
                if let Some(client) = self.current.get() {
                    client.close();
                }
                return Ok(Flow::Quit);
            }
            ("help", _) => {
                self.console.err(&usage_of_all());
                return Ok(Flow::Next);
            }
            ("redo", Some(number)) => {
                if self.redo(number)? == Flow::Quit {
                    return Ok(Flow::Quit);
                }
            }
            ("redo", None) => {}
            ("history", _) => self.show_history(),
            ("printwatches", None) => {
                let state = match self.print_watches.load(Ordering::Relaxed) {
                    true => "on",
                    false => "off",
                };
                self.console.out(&format!("printwatches is {state}\n"));
            }
            ("printwatches", Some(state)) => {
                self.print_watches.store(state == "on", Ordering::Relaxed);
            }
            ("connect", host) => {
                let host = host.unwrap_or(&self.host).to_owned();
                self.connect(&host)?;
                self.settle();
            }
            _ => return self.ask_server(words).map(|()| Flow::Next),
        }
        self.alive_client();
        Ok(Flow::Next)
    }

    fn ask_server(&self, words: &[String]) -> Result<(), CliError> {
        let Some(parse) = parse(words) else {
            self.console.err(&usage_of_all());
            return Err(CliError::not_found(
                words.first().map_or("", String::as_str),
            ));
        };
        let Some(client) = self.alive_client() else {
            return Ok(());
        };
        self.console.out(&parse.out);
        self.console.err(&parse.err);
        exec::run(&parse.command?, &client, &*self.console)
    }

    /// The client, unless its session is over, which is told.
    fn alive_client(&self) -> Option<Arc<Client>> {
        let client = self.current.get();
        let client = client.filter(|client| client.state().is_alive());
        if client.is_none() {
            self.console.out("Not connected\n");
        }
        client
    }

    /// Runs an earlier line again, under the present number.
    fn redo(&mut self, number: &str) -> Result<Flow, CliError> {
        let number: i32 = number
            .parse()
            .map_err(|_| CliError::new(format!("{number} is not the number of a command")))?;
        let present = self.history.len().checked_sub(1);
        let earlier = usize::try_from(number)
            .ok()
            .filter(|number| present.is_some_and(|present| *number < present))
            .and_then(|number| self.history.get(number))
            .ok_or_else(|| CliError::new("Command index out of range"))?
            .clone();
        let words = words::split(&earlier);
        if words.first().is_some_and(|name| name == "redo") {
            return Err(CliError::new("No redoing redos"));
        }
        if let Some(last) = self.history.last_mut() {
            *last = earlier;
        }
        Ok(self.run(&words))
    }

    fn show_history(&self) {
        // A single command has no history; Java's program shows its number all the same.
        if self.history.is_empty() {
            self.console.out("0 - null\n");
        }
        let skipped = self.history.len().saturating_sub(HISTORY_SHOWN + 1);
        for (number, line) in self.history.iter().enumerate().skip(skipped) {
            self.console.out(&format!("{number} - {line}\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::tests::Recorder;

    fn shell() -> (Arc<Recorder>, Shell) {
        let recorder = Arc::new(Recorder::default());
        let console: Arc<dyn Console> = Arc::clone(&recorder) as _;
        let options = Options::parse(std::iter::empty());
        (recorder, Shell::new(console, options))
    }

    #[test]
    fn commands_without_a_server() {
        let (recorder, mut shell) = shell();
        for (line, flow, exit_code, out, err) in [
            ("", Flow::Next, 0, "", ""),
            ("ls /", Flow::Next, 0, "Not connected\n", ""),
            (
                "printwatches",
                Flow::Next,
                0,
                "printwatches is on\nNot connected\n",
                "",
            ),
            ("printwatches off", Flow::Next, 0, "Not connected\n", ""),
            (
                "printwatches",
                Flow::Next,
                0,
                "printwatches is off\nNot connected\n",
                "",
            ),
            ("redo 9", Flow::Next, 1, "", "Command index out of range\n"),
            ("redo -1", Flow::Next, 1, "", "Command index out of range\n"),
            ("redo 6", Flow::Next, 1, "", "Command index out of range\n"),
            (
                "redo x",
                Flow::Next,
                1,
                "",
                "x is not the number of a command\n",
            ),
            ("redo 4", Flow::Next, 1, "", "No redoing redos\n"),
            (
                "redo 0",
                Flow::Next,
                0,
                "Not connected\nNot connected\n",
                "",
            ),
            ("redo", Flow::Next, 0, "Not connected\n", ""),
            (
                "connect host:x",
                Flow::Next,
                1,
                "",
                "x is not a port, in host:x\n",
            ),
            ("quit", Flow::Quit, 1, "", ""),
        ] {
            assert_eq!(shell.run_line(line), flow, "{line}");
            assert_eq!(shell.exit_code, exit_code, "{line}");
            assert_eq!(recorder.take(), (out.to_owned(), err.to_owned()), "{line}");
        }
    }

    #[test]
    fn unknown_commands_get_the_usage_text() {
        let (recorder, mut shell) = shell();
        shell.run_line("bogus /");
        assert_eq!(shell.exit_code, 127);
        let text = usage_of_all() + "Command not found: Command not found bogus\n";
        assert_eq!(recorder.take(), (String::new(), text));
        shell.run_line("help");
        assert_eq!(shell.exit_code, 0);
        assert_eq!(recorder.take(), (String::new(), usage_of_all()));
    }

    #[test]
    fn history_shows_the_last_eleven() {
        let (recorder, mut shell) = shell();
        for number in 0..12 {
            shell.run_line(&format!("ls /{number}"));
        }
        recorder.take();
        shell.run_line("history");
        let mut expected: String = (2..12).map(|n| format!("{n} - ls /{n}\n")).collect();
        expected.push_str("12 - history\nNot connected\n");
        assert_eq!(recorder.take().0, expected);
        assert_eq!(shell.prompt(), "[zk: localhost:2181(NOT_CONNECTED) 13] ");
    }
}
