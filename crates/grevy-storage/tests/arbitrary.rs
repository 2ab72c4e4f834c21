//! No bytes in any file make a reader panic, hang or take memory without bound.

mod support;

use grevy_proto::Zxid;
use grevy_storage::log::{LogReader, Step};
use grevy_storage::mark;
use grevy_storage::snapshot::{self, BodyParser, Trailers};
use grevy_storage::testing::MemDisk;
use grevy_storage::{Compression, Disk};
use proptest::prelude::*;
use std::path::Path;
use support::*;

/// Bytes that look somewhat like a file of ours: parts of one, and noise.
fn bytes(like: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let len = like.len();
    let changes = prop::collection::vec((0..len, any::<u8>()), 0..4);
    let mangled = (changes, 0..=len, prop::collection::vec(any::<u8>(), 0..40));
    let mangled = mangled.prop_map(move |(changes, keep, noise)| {
        let mut bytes = like.clone();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(keep);
        bytes.extend(noise);
        bytes
    });
    prop_oneof![mangled, prop::collection::vec(any::<u8>(), 0..200)]
}

fn log() -> Vec<u8> {
    java_log((1..6).map(|n| z(0, n)), 30)
}

fn read_log(disk: &MemDisk, path: &Path) -> usize {
    let mut reader = LogReader::open(disk, path).unwrap();
    let mut records = 0;
    loop {
        match reader.read().unwrap() {
            Step::Record(_) => records += 1,
            Step::End(_) => match reader.read_flawed().unwrap() {
                Some(_) => records += 1,
                None => return records,
            },
        }
    }
}

fn written(compression: Compression) -> Vec<u8> {
    let (disk, opened) = begun();
    let mut writer = opened.store.snapshot(z(0, 7), compression).unwrap();
    writer.write(&body(z(0, 7))).unwrap();
    let all = Trailers::All {
        zxid: z(0, 7),
        digest: 5,
        last_zxid: z(0, 7),
    };
    let file = writer.finish(all).unwrap();
    disk.content(file.path).unwrap()
}

proptest! {
    #[test]
    fn logs(bytes in bytes(log())) {
        let disk = MemDisk::new();
        disk.put(path("log.1"), &bytes);
        prop_assert!(read_log(&disk, &path("log.1")) <= bytes.len() / 45);
        disk.put(path("snapshot.0"), &java_snapshot(Zxid(0)));
        let _ = look(&disk);
    }

    #[test]
    fn snapshots(kind in 0..3usize, bytes in prop_oneof![
        bytes(written(Compression::None)),
        bytes(written(Compression::Gzip)),
        bytes(written(Compression::Snappy)),
    ]) {
        let compression = [Compression::None, Compression::Gzip, Compression::Snappy][kind];
        let disk = MemDisk::new();
        let file = path("snapshot.7");
        disk.put(&file, &bytes);
        let _ = snapshot::looks_whole(&disk, &file, compression);
        let mut body = BodyParser::new(1 << 20);
        let _ = snapshot::read(&disk, &file, compression, &mut |chunk| {
            body.feed(chunk, &mut |_| Ok(()))
        });
        let _ = look(&disk);
    }

    #[test]
    fn marks_and_epochs(mark in bytes(filled(2).content(path(mark::MARK_FILE)).unwrap()),
                        epoch in bytes(b"3\n".to_vec())) {
        let disk = filled(2);
        disk.put(path(mark::MARK_FILE), &mark);
        let _ = mark::read(&disk, Path::new(LOGS));
        let _ = look(&disk);
        disk.put(path("currentEpoch"), &epoch);
        let _ = look(&disk);
    }

    /// However a body is cut into chunks, the items are the same.
    #[test]
    fn bodies_in_pieces(sizes in prop::collection::vec(1..50usize, 1..20)) {
        let mut body = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0, 0, 0];
        for path in ["", "/a", "/a/b"] {
            body.extend((path.len() as u32).to_be_bytes());
            body.extend(path.as_bytes());
            body.extend([0, 0, 0, 2, b'x', b'y']);
            body.extend([0xff; 8]);
            body.extend([0; 60]);
        }
        body.extend(b"\0\0\0\x01/tail");
        let items = |sizes: &[usize]| {
            let mut found = Vec::new();
            let mut parser = BodyParser::default();
            let mut at = 0;
            for size in sizes.iter().cycle() {
                let chunk = &body[at..body.len().min(at + size)];
                let fed = parser.feed(chunk, &mut |item| {
                    found.push(format!("{item:?}"));
                    Ok(())
                });
                if let snapshot::Fed::Done(used) = fed.unwrap() {
                    assert_eq!(&body[at + used..], b"tail");
                    return found;
                }
                at += chunk.len();
            }
            found
        };
        let whole = items(&[body.len()]);
        prop_assert_eq!(whole.len(), 4);
        prop_assert_eq!(items(&sizes), whole);
    }
}

#[test]
fn a_disk_that_cannot_read_is_an_error() {
    use grevy_storage::DiskOp;
    use grevy_storage::testing::Fault;
    let disk = filled(5);
    disk.fail(DiskOp::Read, path("log.1"), 0, Fault::Error);
    let error = look(&disk).unwrap_err().to_string();
    assert!(error.contains("cannot read /zk/version-2/log.1"), "{error}");
    look(&disk).unwrap();
    assert!(disk.list(Path::new("/nowhere")).is_err());
}
