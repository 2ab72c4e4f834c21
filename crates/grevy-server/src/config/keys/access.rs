//! Who may do what.

use super::{Kind::*, Preset::*, Support::*, *};

keys! {
    "skipACL" Property, YesNo, Value("no"), Supported, "`yes` lets everybody do everything.";
    "enableEagerACLCheck" Property, Flag, Value("false"), Supported, "Whether a member of an ensemble refuses a write that its client may not make before it passes the write on, so that no transaction comes of it.";
    "DigestAuthenticationProvider.enabled" Property, Flag, Value("true"), Supported, "Whether clients may authenticate with the scheme `digest`.";
    "DigestAuthenticationProvider.superDigest" Property, Secret, Unset, Supported, "Who is the super user: `super:` and the base64 of the SHA-1 of `super:<password>`.";
    "DigestAuthenticationProvider.digestAlg" Property, Text, Value("SHA1"), Refused(&["SHA1", "SHA-1", "SHA"], "digest algorithms other than SHA1"), "With which algorithm digests are made.";
    "authProvider.*" Property, Text, Unset, Supported, "A further authentication provider, by its Java class: the ensemble provider is known.";
    "ensembleAuthName" Property, Words, Unset, Supported, "The ensemble's names, one of which a client of the scheme `ensemble` must give.";
    "enforce.auth.enabled" Property, Flag, Value("false"), Supported, "Whether a client must authenticate before it may do anything.";
    "enforce.auth.schemes" Property, Words, Unset, Supported, "With one of which schemes: `digest` or `ip`.";
    "IPAuthenticationProvider.usexforwardedfor" Property, Flag, Value("false"), NotYet("believing a proxy's X-Forwarded-For header"), "Whether the admin server takes a client's address from X-Forwarded-For.";
}
