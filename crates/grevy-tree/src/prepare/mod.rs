//! stub
use grevy_proto::*; use grevy_proto::txn::*; use crate::Tree; use crate::permission::Schemes;
#[derive(Debug, Clone, Default)] pub struct PrepareConfig { pub skip_acl: bool, pub schemes: Schemes, pub enforce_quota: bool }
pub struct Context<'a> { pub session: SessionId, pub cxid: Xid, pub zxid: Zxid, pub time: i64, pub ids: &'a [Id], pub session_state: Result<(), ErrorCode>, pub config: &'a PrepareConfig }
pub struct WriteRequest<'a> { pub op: OpCode, pub record: &'a [u8] }
pub enum Prepared { Txn { txn: Txn, digest: Option<TxnDigest> }, Refused(ErrorCode) }
#[derive(Debug)] pub struct Pending;
impl Pending { pub fn new(_: &Tree) -> Self { Pending } pub fn prepare(&mut self, _: &Tree, _: &WriteRequest<'_>, _: &Context<'_>) -> Prepared { todo!() } pub fn applied(&mut self, _: Zxid) {} }
