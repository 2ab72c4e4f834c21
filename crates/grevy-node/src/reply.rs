//! What the reply to an applied write says. Source: `FinalRequestProcessor`, `MultiResponse`.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use grevy_proto::multi::MultiHeader;
use grevy_proto::reply::Create2Response;
use grevy_proto::txn::{CreateKind, Txn};
use grevy_proto::{Encode, ErrorCode, OpCode, Stat};
use grevy_tree::Applied;

/// The reply header's error code. A multi has none: its parts have their own.
pub fn code(applied: &Applied) -> ErrorCode {
    match applied {
        Applied::Error(code) => ErrorCode::from_wire(*code).unwrap_or(ErrorCode::SystemError),
        _ => ErrorCode::Ok,
    }
}

/// Appends the record of a successful reply to `op`.
pub fn encode_record(op: OpCode, txn: &Txn<'_>, applied: &Applied, out: &mut Vec<u8>) {
    match (txn, applied) {
        (Txn::Multi(parts), Applied::Multi(results)) => {
            for (part, result) in parts.iter().zip(results) {
                // If one part fails, each of them is reported as an error, the ones before it
                // with the code 0.
                let failed = matches!(part, Txn::Error(_));
                if failed || results.iter().any(|result| result.error != 0) {
                    MultiHeader::error(result.error).encode(out);
                    result.error.encode(out);
                } else {
                    let op = match part.op() {
                        OpCode::CreateContainer | OpCode::CreateTtl => OpCode::Create2,
                        op => op,
                    };
                    MultiHeader::result(op).encode(out);
                    encode_result(part, result.stat, out);
                }
            }
            MultiHeader::END.encode(out);
        }
        (_, Applied::Stat(stat)) if op != OpCode::Multi => encode_result(txn, Some(*stat), out),
        _ => {}
    }
}

fn encode_result(txn: &Txn<'_>, stat: Option<Stat>, out: &mut Vec<u8>) {
    let stat = stat.unwrap_or_default();
    match txn {
        Txn::Create(create) => match create.kind {
            CreateKind::Plain { .. } => create.path.encode(out),
            _ => Create2Response {
                path: Cow::Borrowed(&create.path),
                stat,
            }
            .encode(out),
        },
        // What getData would say. Source: `GetDataResponse`.
        Txn::SetData(set) if set.reconfig => {
            set.data.encode(out);
            stat.encode(out);
        }
        Txn::SetData(_) | Txn::SetAcl(_) => stat.encode(out),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grevy_proto::txn::SetDataTxn;
    use grevy_proto::{Decode, Reader};

    #[test]
    fn a_reconfiguration_tells_the_configuration() {
        let stat = Stat {
            version: 7,
            ..Stat::default()
        };
        for reconfig in [false, true] {
            let txn = Txn::SetData(SetDataTxn {
                path: "/a".into(),
                data: Some(b"server.1=a:1:2".into()),
                version: 7,
                reconfig,
            });
            let mut record = Vec::new();
            encode_record(txn.op(), &txn, &Applied::Stat(stat), &mut record);
            let mut reader = Reader::new(&record);
            if reconfig {
                assert_eq!(reader.buffer(), Ok(Some(&b"server.1=a:1:2"[..])));
            }
            assert_eq!(Stat::decode(&mut reader), Ok(stat));
            assert!(reader.is_empty());
        }
    }
}
