//! The example in the documentation is what the code writes and reads.

mod support;

use grevy_proto::jute::Encode;
use grevy_proto::{Acl, StatPersisted, Zxid};
use grevy_storage::Compression;
use grevy_storage::snapshot::{self, BodyParser, Digest, DigestValue, Item, Trailers};
use support::begun;

const DOCUMENT: &str = include_str!("../../../docs/storage-formats.md");

/// The bytes of the block marked `hex`, without the comments.
fn documented() -> Vec<u8> {
    let block = DOCUMENT.split("```hex\n").nth(1).expect("a block of hex");
    let block = block.split("```").next().expect("its end");
    let digits: String = block
        .lines()
        .flat_map(|line| line.split('#').next())
        .flat_map(str::split_whitespace)
        .collect();
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn empty_tree() -> Vec<u8> {
    let mut body = Vec::new();
    0i32.encode(&mut body);
    1i32.encode(&mut body);
    1i64.encode(&mut body);
    [Acl::READ].as_slice().encode(&mut body);
    for (path, acl, aversion) in [
        ("", -1i64, 0),
        ("/zookeeper", -1, 0),
        ("/zookeeper/config", 1, -1),
        ("/zookeeper/quota", -1, 0),
    ] {
        path.encode(&mut body);
        Some(&b""[..]).encode(&mut body);
        acl.encode(&mut body);
        let stat = StatPersisted {
            aversion,
            ..StatPersisted::default()
        };
        stat.encode(&mut body);
    }
    "/".encode(&mut body);
    body
}

#[test]
fn the_example_is_what_is_written() {
    let (disk, opened) = begun();
    let mut writer = opened.store.snapshot(Zxid(0), Compression::None).unwrap();
    for byte in empty_tree() {
        writer.write(&[byte]).unwrap();
    }
    let trailers = Trailers::All {
        zxid: Zxid(0),
        digest: 0,
        last_zxid: Zxid(0),
    };
    let file = writer.finish(trailers).unwrap();
    assert_eq!(file.bytes, 478);
    assert_eq!(disk.content(file.path).unwrap(), documented());
}

#[test]
fn the_example_is_read() {
    let (disk, _opened) = begun();
    disk.put("/x", &documented());
    let mut parser = BodyParser::default();
    let mut paths = Vec::new();
    let mut lists = 0;
    let path = std::path::Path::new("/x");
    let info = snapshot::read(&disk, path, Compression::None, &mut |chunk| {
        parser.feed(chunk, &mut |item| {
            match item {
                Item::Node { path, .. } => paths.push(path.into_owned()),
                Item::Acl { .. } => lists += 1,
                Item::Session { .. } => panic!("no session"),
            }
            Ok(())
        })
    });
    let info = info.unwrap();
    assert_eq!(
        paths,
        ["", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"]
    );
    assert_eq!((lists, info.last_zxid), (1, Some(Zxid(0))));
    let digest = Digest {
        zxid: Zxid(0),
        version: 2,
        value: DigestValue::Number(0),
    };
    assert_eq!(info.digest, Some(digest));
}

#[test]
fn compressed_snapshots_hold_the_same() {
    let (disk, opened) = begun();
    let body: Vec<u8> = (0..3_000_000u32)
        .flat_map(|i| (i / 7).to_be_bytes())
        .collect();
    for compression in [Compression::None, Compression::Gzip, Compression::Snappy] {
        let mut writer = opened.store.snapshot(Zxid(5), compression).unwrap();
        for chunk in body.chunks(77_777) {
            writer.write(chunk).unwrap();
        }
        let file = writer.finish(Trailers::None).unwrap();
        let looks = snapshot::looks_whole(&disk, &file.path, compression).unwrap();
        assert!(looks, "{compression:?}");
        let content = disk.content(&file.path).unwrap();
        match compression {
            Compression::None => assert_eq!(content.len(), body.len() + 16 + 13),
            _ => assert!(content.len() < body.len() / 2, "{compression:?}"),
        }
        let mut read = Vec::new();
        let info = snapshot::read(&disk, &file.path, compression, &mut |chunk| {
            read.extend_from_slice(chunk);
            let excess = read.len().saturating_sub(body.len());
            read.truncate(body.len());
            Ok(match read.len() == body.len() {
                true => snapshot::Fed::Done(chunk.len() - excess),
                false => snapshot::Fed::More,
            })
        });
        assert_eq!(info.unwrap().body_len, body.len() as u64);
        assert!(read == body, "{compression:?}");
    }
}
