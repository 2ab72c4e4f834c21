//! The table of packets in the documentation is what the code writes and reads.

use grevy_proto::quorum::Packet;

const DOCUMENT: &str = include_str!("../../../docs/ensemble-protocol.md");

#[test]
fn packets_have_the_types_that_the_document_says() {
    let rows: Vec<(i32, &str)> = DOCUMENT
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            Some((cells.next()?.parse().ok()?, cells.next()?))
        })
        .collect();
    let types: Vec<i32> = rows.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(types, (1..=19).collect::<Vec<i32>>());
    for (kind, name) in rows {
        // Long enough for every kind of buffer.
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&24i32.to_be_bytes());
        bytes.extend_from_slice(&[0; 24]);
        bytes.extend_from_slice(&(-1i32).to_be_bytes());
        let (packet, _) = Packet::parse(&bytes, 64).unwrap().expect("a whole packet");
        assert_eq!(packet.name(), name, "type {kind}");
    }
}
