//! What stands before the command. Source: `ZooKeeperMain.MyCommandOptions.parseOptions`.

use crate::error::CliError;
use crate::properties;
use std::time::Duration;

/// What stands before a command, for whoever asks; Java's program does not tell.
pub const HELP: &str = "\
options:
\t-server host:port[,host:port...][/chroot]   the servers (localhost:2181)
\t-timeout ms                                 the session timeout to ask for (30000)
\t-r                                          a read-only server will do
\t-waitforconnection                          wait for a session before anything is done
\t-client-configuration properties-file       zookeeper.client.secure=true in it is refused: no TLS
without cmd, commands are read from the terminal or standard input
";

/// The program's options and command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// A connection string.
    pub server: String,
    /// The session timeout to ask for, as given.
    pub timeout: String,
    /// Whether a read-only server will do.
    pub read_only: bool,
    /// Whether to wait for a session first.
    pub wait_for_connection: bool,
    /// A properties file.
    pub client_configuration: Option<String>,
    /// The command to run, and its arguments; empty: read commands.
    pub command: Vec<String>,
    /// Whether help was asked for.
    pub help: bool,
    /// What is wrong with the options. As in Java's program they count up to here, and the
    /// command is not looked for.
    pub complaint: Option<String>,
}

impl Options {
    /// Reads the arguments. Unknown options are passed over, as Java's program does.
    pub fn parse(args: impl Iterator<Item = String>) -> Self {
        let mut options = Self {
            server: "localhost:2181".to_owned(),
            timeout: "30000".to_owned(),
            read_only: false,
            wait_for_connection: false,
            client_configuration: None,
            command: Vec::new(),
            help: false,
            complaint: None,
        };
        let mut args = args;
        while let Some(arg) = args.next() {
            let missing = Some(format!("Error: no argument found for option {arg}"));
            let mut value = || {
                let value = args.next();
                if value.is_none() {
                    options.complaint.clone_from(&missing);
                }
                value
            };
            match arg.as_str() {
                "-server" => options.server = value().unwrap_or(options.server),
                "-timeout" => options.timeout = value().unwrap_or(options.timeout),
                "-client-configuration" => options.client_configuration = value(),
                "-r" => options.read_only = true,
                "-waitforconnection" => options.wait_for_connection = true,
                "-h" | "-help" | "--help" => options.help = true,
                option if option.starts_with('-') => {}
                _ => {
                    options.command = std::iter::once(arg).chain(args).collect();
                    break;
                }
            }
        }
        options
    }

    /// The session timeout to ask for.
    pub fn timeout(&self) -> Result<Duration, CliError> {
        let ms = self.timeout.parse::<i32>().ok();
        let ms = ms.and_then(|ms| u64::try_from(ms).ok());
        ms.map(Duration::from_millis).ok_or_else(|| {
            CliError::new(format!(
                "-timeout {} is not a number of milliseconds",
                self.timeout
            ))
        })
    }

    /// Reads the configuration file, if there is one. This client needs nothing of it, but must
    /// not speak plain TCP where TLS is asked for.
    pub fn check_client_configuration(&self) -> Result<(), CliError> {
        let Some(file) = &self.client_configuration else {
            return Ok(());
        };
        let text = std::fs::read_to_string(file).map_err(|error| {
            CliError::invalid_invocation(format!("Error while processing {file}: {error}"))
        })?;
        let is_secure = properties::parse(&text).iter().any(|(key, value)| {
            key == "zookeeper.client.secure" && value.eq_ignore_ascii_case("true")
        });
        match is_secure {
            true => Err(CliError::invalid_invocation(format!(
                "{file} asks for TLS (zookeeper.client.secure), which this client does not speak; \
                 connect to a plain client port instead"
            ))),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Options {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn every_option() {
        let base = parse("");
        assert_eq!(base.server, "localhost:2181");
        assert_eq!(base.timeout(), Ok(Duration::from_secs(30)));
        let command = |words: &str| words.split_whitespace().map(str::to_owned).collect();
        for (line, expected) in [
            (
                "-server a:1/x",
                Options {
                    server: "a:1/x".to_owned(),
                    ..base.clone()
                },
            ),
            (
                "-timeout 5",
                Options {
                    timeout: "5".to_owned(),
                    ..base.clone()
                },
            ),
            (
                "-r",
                Options {
                    read_only: true,
                    ..base.clone()
                },
            ),
            (
                "-waitforconnection",
                Options {
                    wait_for_connection: true,
                    ..base.clone()
                },
            ),
            (
                "-client-configuration f",
                Options {
                    client_configuration: Some("f".to_owned()),
                    ..base.clone()
                },
            ),
            (
                "--help",
                Options {
                    help: true,
                    ..base.clone()
                },
            ),
            (
                "-unknown ls /",
                Options {
                    command: command("ls /"),
                    ..base.clone()
                },
            ),
            (
                "ls -r / -server b",
                Options {
                    command: command("ls -r / -server b"),
                    ..base.clone()
                },
            ),
            (
                "-r -server",
                Options {
                    read_only: true,
                    complaint: Some("Error: no argument found for option -server".to_owned()),
                    ..base.clone()
                },
            ),
        ] {
            assert_eq!(parse(line), expected, "{line}");
        }
        for bad in ["-timeout x", "-timeout -5", "-timeout 99999999999"] {
            assert!(parse(bad).timeout().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_configuration_that_asks_for_tls_is_refused() {
        let folder = std::env::temp_dir();
        for (name, text, exit_code) in [
            ("plain", "zookeeper.client.secure=false\nx=y\n", None),
            ("secure", "zookeeper.client.secure=true\n", Some(2)),
        ] {
            let file = folder.join(format!("grevy-cli-{name}-{}", std::process::id()));
            std::fs::write(&file, text).unwrap();
            let options = Options {
                client_configuration: Some(file.to_string_lossy().into_owned()),
                ..parse("")
            };
            let result = options.check_client_configuration();
            assert_eq!(result.err().map(|error| error.exit_code), exit_code);
            std::fs::remove_file(file).unwrap();
        }
        let missing = parse("-client-configuration /no/such/file");
        assert_eq!(
            missing.check_client_configuration().unwrap_err().exit_code,
            2
        );
    }
}
