//! The arguments after `grevy server`: those that operators pass to `QuorumPeerMain` and, by
//! `SERVER_JVMFLAGS`, to the JVM.

/// Arguments, sorted by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `-Dname=value`, without the `-D`. A name alone has an empty value, as in Java.
    pub properties: Vec<(String, String)>,
    /// Arguments for a JVM, which mean nothing to Grevy.
    pub java: Vec<String>,
    /// What is left: the configuration file, or `port dataDir [tickTime] [maxClientCnxns]`.
    pub rest: Vec<String>,
    /// Arguments that begin with `-` and are none of these.
    pub unknown: Vec<String>,
}

/// Options of the `java` command that begin neither with `-X` nor with `-D`.
const JAVA_OPTIONS: &[&str] = &[
    "-server",
    "-client",
    "-d64",
    "-ea",
    "-da",
    "-esa",
    "-dsa",
    "-enableassertions",
    "-disableassertions",
    "-verbose",
    "-showversion",
];

/// Beginnings of such options that carry a value.
const JAVA_PREFIXES: &[&str] = &[
    "-X",
    "-javaagent:",
    "-agentlib:",
    "-agentpath:",
    "-verbose:",
    "-ea:",
    "-da:",
    "--add-opens=",
    "--add-exports=",
    "--add-modules=",
    "--add-reads=",
    "--enable-native-access=",
    "--enable-preview",
    "--illegal-access=",
];

impl Arguments {
    /// Sorts the arguments. Their order within a kind is kept.
    pub fn parse<I>(arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let mut sorted = Arguments::default();
        for argument in arguments {
            let argument: String = argument.into();
            if let Some(property) = argument.strip_prefix("-D") {
                let (name, value) = property.split_once('=').unwrap_or((property, ""));
                sorted
                    .properties
                    .push((name.trim().to_owned(), value.trim().to_owned()));
            } else if JAVA_OPTIONS.contains(&argument.as_str())
                || JAVA_PREFIXES
                    .iter()
                    .any(|prefix| argument.starts_with(prefix))
            {
                sorted.java.push(argument);
            } else if argument.starts_with('-') {
                sorted.unknown.push(argument);
            } else if !argument.is_empty() {
                sorted.rest.push(argument);
            }
        }
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_sorted() {
        let line = "-Xmx1000m -Djute.maxbuffer=4194304 -XX:+UseG1GC conf/zoo.cfg \
                    -Dzookeeper.skipACL=yes -Dempty -javaagent:/x.jar=1:2 -server --bogus \
                    -Da=b=c --add-opens=java.base/java.lang=ALL-UNNAMED";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            Arguments::parse(line.split(' ')),
            Arguments {
                properties: vec![
                    pair("jute.maxbuffer", "4194304"),
                    pair("zookeeper.skipACL", "yes"),
                    pair("empty", ""),
                    pair("a", "b=c"),
                ],
                java: [
                    "-Xmx1000m",
                    "-XX:+UseG1GC",
                    "-javaagent:/x.jar=1:2",
                    "-server",
                    "--add-opens=java.base/java.lang=ALL-UNNAMED",
                ]
                .map(str::to_owned)
                .to_vec(),
                rest: vec!["conf/zoo.cfg".to_owned()],
                unknown: vec!["--bogus".to_owned()],
            }
        );
    }
}
