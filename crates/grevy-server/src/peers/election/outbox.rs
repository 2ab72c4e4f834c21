//! What one server is to be told on the election port.

use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;

/// Holds the newest message that was not sent; older ones do not matter any more. Source:
/// `CircularBlockingQueue` of capacity 1.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    messages: Mutex<Messages>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Messages {
    unsent: Option<Arc<[u8]>>,
    /// The last one that was taken; it may have been lost with its connection.
    last: Option<Arc<[u8]>>,
}

impl Outbox {
    /// Puts a framed message in, in place of one that was not sent.
    pub(super) fn put(&self, message: Vec<u8>) {
        self.messages.lock().unsent = Some(message.into());
        self.filled.notify_one();
    }

    /// What a new connection begins with: what was not sent, or else the last message once
    /// more.
    pub(super) fn first(&self) -> Option<Arc<[u8]>> {
        let mut messages = self.messages.lock();
        if let Some(message) = messages.unsent.take() {
            messages.last = Some(message);
        }
        messages.last.clone()
    }

    /// Waits for the next message.
    pub(super) async fn next(&self) -> Arc<[u8]> {
        loop {
            {
                let mut messages = self.messages.lock();
                if let Some(message) = messages.unsent.take() {
                    messages.last = Some(message.clone());
                    return message;
                }
            }
            self.filled.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_counts_and_the_last_is_sent_again() {
        let outbox = Outbox::default();
        assert_eq!(outbox.first(), None);
        outbox.put(vec![1]);
        outbox.put(vec![2]);
        assert_eq!(outbox.first().as_deref(), Some(&[2][..]));
        assert_eq!(outbox.first().as_deref(), Some(&[2][..]));
        let (next, ()) = tokio::join!(outbox.next(), async { outbox.put(vec![3]) });
        assert_eq!(*next, [3]);
        assert_eq!(outbox.first().as_deref(), Some(&[3][..]));
    }
}
