//! The load generator: what to ask, and in which rhythm.

pub mod closed;
pub mod fixed;
pub mod keys;
mod work;

pub use work::{Mix, Work};

#[cfg(test)]
mod tests {
    use super::closed::{self, Closed};
    use super::fixed::{self, Stream};
    use super::{Mix, Work, keys};
    use crate::client::Client;
    use crate::clock;
    use crate::floor::echo;
    use crate::floor::mirror::Mirrors;
    use crate::server::Target;
    use std::net::TcpListener;
    use std::time::Duration;

    /// The floor, served by a thread that ends with the test.
    fn echo_server() -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || echo::serve(listener, None, Mirrors::connect(&[])?));
        Target::alone(address, Some(std::process::id()))
    }

    #[test]
    fn every_mix_runs_in_every_shape() {
        let target = echo_server();
        let mut client = Client::connect(target.address, Duration::from_secs(10)).unwrap();
        keys::make_directories(&mut client, 2500).unwrap();
        closed::fill(&target, 2500).unwrap();
        for mix in [Mix::Get, Mix::Set, Mix::Multi, Mix::Mixed, Mix::Create] {
            for (connections, depth) in [(1, 1), (1, 100), (7, 1), (7, 100)] {
                let (warmup, measure) = (Duration::ZERO, Duration::from_millis(20));
                let plan = Closed {
                    connections,
                    depth,
                    warmup,
                    measure,
                };
                let mut work = Work::new(mix, 2500, "/bench/created");
                let mut counted = 0;
                let measured =
                    closed::run_counting(&target, plan, &mut work, || {}, |_| counted += 1)
                        .unwrap();
                assert!(measured.operations > 0, "{mix:?} {connections}x{depth}");
                assert_eq!(measured.operations, counted);
                assert!(measured.server_cpu.is_some());
            }
        }
    }

    #[test]
    fn a_timetable_is_kept_to_the_last_request() {
        let target = echo_server();
        let stream = |mix, rate, connections| Stream {
            work: Work::new(mix, 10, ""),
            rate,
            connections,
        };
        let streams = vec![stream(Mix::Get, 2000, 3), stream(Mix::Set, 500, 1)];
        let start = clock::now();
        let mut turns = 0;
        let ran = fixed::run(&target, streams, 0, |now| {
            turns += 1;
            now > start + clock::SECOND / 5
        })
        .unwrap();
        assert!(turns > 1);
        let due: Vec<usize> = ran.samples.iter().map(Vec::len).collect();
        assert_eq!(
            ran.lag.count() as usize,
            due.iter().sum::<usize>(),
            "requests without an answer"
        );
        // However late the generator was, it sent what was due: one stream four times as often as the other.
        assert!(due[0].abs_diff(4 * due[1]) <= 4, "{due:?}");
    }

    #[test]
    fn a_server_that_is_not_there_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert!(Client::connect(address, Duration::from_secs(1)).is_err());
        let opened = crate::client::Pool::open(address, 3, 3, Duration::from_millis(100));
        assert_eq!(opened.unwrap().missing, 3);
    }
}
