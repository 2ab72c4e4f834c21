//! The terminal while it shows something live: another screen, keys as they are pressed.

use crate::events::Event;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{self, Read, Write, stdin, stdout};
use std::sync::mpsc::Sender;

/// Puts things back when dropped.
pub struct Screen {
    before: Termios,
}

impl Screen {
    /// Takes the terminal. Keys, also Ctrl-C, become events.
    pub fn open(keys: Sender<Event>) -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        let screen = Self { before };
        stdout().write_all(b"\x1b[?1049h\x1b[?25l")?;
        stdout().flush()?;
        std::thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || {
                let all = stdin().lock().bytes().map_while(Result::ok);
                for key in all {
                    if keys.send(Event::Key(key)).is_err() {
                        return;
                    }
                }
            })?;
        Ok(screen)
    }

    /// Shows these lines, as far as they fit.
    pub fn show(&self, lines: &[String]) -> io::Result<()> {
        let size = tcgetwinsize(stdout())?;
        // Terminals that do not know their size say 0.
        let [rows, columns] = [size.ws_row, size.ws_col].map(|size| match size {
            0 => usize::MAX,
            size => usize::from(size),
        });
        let mut out = stdout().lock();
        out.write_all(b"\x1b[H")?;
        let shown: Vec<String> = lines
            .iter()
            .take(rows)
            .map(|line| line.chars().take(columns).collect::<String>() + "\x1b[K")
            .collect();
        out.write_all(shown.join("\r\n").as_bytes())?;
        out.write_all(b"\x1b[J")?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nobody is left to tell if the terminal is gone.
        let _ = stdout().write_all(b"\x1b[?25h\x1b[?1049l");
        let _ = stdout().flush();
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}
