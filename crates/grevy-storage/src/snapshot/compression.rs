//! How a snapshot is compressed; its name tells.

/// Setting `snapshot.compression.method`. Source: `SnapStream.StreamMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// One gzip stream.
    Gzip,
    /// Blocks of snappy, framed as the Java library `snappy-java` does.
    Snappy,
}

impl Compression {
    /// What a file's name ends with.
    pub fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Snappy => ".snappy",
        }
    }

    /// From the value of the setting: `gz`, `snappy` or nothing.
    pub fn from_setting(setting: &str) -> Option<Self> {
        match setting {
            "" => Some(Self::None),
            "gz" => Some(Self::Gzip),
            "snappy" => Some(Self::Snappy),
            _ => None,
        }
    }
}
