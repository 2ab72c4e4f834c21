//! What a worker has for other servers, sent once for all connections that were ready together:
//! a system call for each of them, and a wake-up at the other end, would cost more than all else.
//! A lone request waits for nothing.

use super::Link;
use std::cell::RefCell;
use std::sync::Arc;
use tokio::sync::Notify;

/// So many connections may be handled before links have to wait no longer.
const MAX_PASSED: usize = 32;

thread_local! {
    static OUTBOX: RefCell<Option<Outbox>> = const { RefCell::new(None) };
}

/// The links that wait on this thread.
struct Outbox {
    links: Vec<Arc<Link>>,
    /// Connections that were handled since the first of them waits.
    passed: usize,
    filled: Arc<Notify>,
}

/// Lets links wait on this thread, whose reactor runs tasks in the order in which they became
/// ready: this one runs behind those that were ready when the first link had something to send.
pub async fn keep_sending() {
    let filled = Arc::new(Notify::new());
    OUTBOX.set(Some(Outbox {
        links: Vec::new(),
        passed: 0,
        filled: filled.clone(),
    }));
    loop {
        filled.notified().await;
        send_all();
    }
}

/// Sends what these links have: soon, on a worker's thread; otherwise at once.
pub fn send_soon(links: Vec<Arc<Link>>) {
    let at_once = OUTBOX.with_borrow_mut(|outbox| match outbox {
        Some(outbox) => {
            outbox.add(links);
            Vec::new()
        }
        None => links,
    });
    at_once.iter().for_each(|link| link.send_now());
}

/// A worker is about to handle another connection.
pub fn pass() {
    let is_due = OUTBOX.with_borrow_mut(|outbox| match outbox {
        Some(outbox) if !outbox.links.is_empty() => {
            outbox.passed += 1;
            outbox.passed > MAX_PASSED
        }
        _ => false,
    });
    if is_due {
        send_all();
    }
}

fn send_all() {
    let links = OUTBOX.with_borrow_mut(|outbox| match outbox {
        Some(outbox) => {
            outbox.passed = 0;
            std::mem::take(&mut outbox.links)
        }
        None => Vec::new(),
    });
    links.iter().for_each(|link| link.send_now());
}

impl Outbox {
    fn add(&mut self, links: Vec<Arc<Link>>) {
        if self.links.is_empty() && !links.is_empty() {
            self.filled.notify_one();
        }
        for link in links {
            if !self.links.iter().any(|other| other.id() == link.id()) {
                self.links.push(link);
            }
        }
    }
}
