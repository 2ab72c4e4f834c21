//! The flags of each command.

use crate::flags::{Flag, Group, Spec};

/// No flags.
pub const NONE: Spec = free(&[]);

pub const ADD_WATCH: Spec = free(&[with("m", "")]);

pub const CONFIG: Spec = free(&[
    on("s", "stats"),
    on("w", "watch"),
    on("c", "client connection string"),
]);

pub const CREATE: Spec = free(&[
    on("e", "ephemeral"),
    on("s", "sequential"),
    on("c", "container"),
    with("t", "ttl"),
]);

pub const DELETE: Spec = free(&[with("v", "version")]);

pub const DELETE_ALL: Spec = free(&[with("b", "batch size")]);

pub const DEL_QUOTA: Spec = Spec {
    group: Group::AtMostOne,
    ..free(&[
        on("n", "num soft quota"),
        on("b", "bytes soft quota"),
        on("N", "num hard quota"),
        on("B", "bytes hard quota"),
    ])
};

pub const GET: Spec = Spec {
    in_usage: true,
    ..free(&[
        on("s", "Print znode stats additionally"),
        on("w", "Watch for changes on the znode"),
        on("b", "Output data in base64 format"),
        on("x", "Output data in hexdump format"),
    ])
};

pub const GET_ACL: Spec = free(&[on("s", "stats")]);

pub const LS: Spec = free(&[
    on("?", "help"),
    on("s", "stat"),
    on("w", "watch"),
    on("R", "recurse"),
]);

pub const RECONFIG: Spec = free(&[
    on("s", "stats"),
    with("v", "required current config version"),
    with("file", "path of config file to parse for membership"),
    with("members", "config strings for non-incremental reconfig"),
    with("add", "config strings for new servers"),
    with("remove", "server IDs to remove"),
]);

pub const REMOVE_WATCHES: Spec = free(&[
    on("c", "child watcher type"),
    on("d", "data watcher type"),
    on("p", "persistent watcher type"),
    on("r", "persistent recursive watcher type"),
    on("a", "any watcher type"),
    on("l", "remove locally when there is no server connection"),
]);

pub const SET: Spec = Spec {
    in_usage: true,
    ..free(&[
        on("s", "Print znode stats additionally"),
        with("v", "Set with an expected version"),
        on("b", "Supply data in base64 format"),
    ])
};

pub const SET_ACL: Spec = free(&[on("s", "stats"), with("v", "version"), on("R", "recursive")]);

pub const SET_QUOTA: Spec = Spec {
    group: Group::ExactlyOne,
    ..free(&[
        with("n", "num soft quota"),
        with("b", "bytes soft quota"),
        with("N", "num hard quota"),
        with("B", "bytes hard quota"),
    ])
};

pub const STAT: Spec = free(&[on("w", "watch")]);

/// Flags that do not exclude each other and need no explanation.
const fn free(flags: &'static [Flag]) -> Spec {
    Spec {
        flags,
        group: Group::Free,
        in_usage: false,
    }
}

const fn on(name: &'static str, about: &'static str) -> Flag {
    Flag {
        name,
        takes_value: false,
        about,
    }
}

const fn with(name: &'static str, about: &'static str) -> Flag {
    Flag {
        name,
        takes_value: true,
        about,
    }
}
