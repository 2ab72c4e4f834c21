//! Several operations in one request.

use crate::answer::{Answer, finish};
use crate::client::{Client, CreateOptions};
use crate::error::{Error, Operation};
use crate::machine::{Effect, Request};
use crate::watch::strip;
use grevy_proto::multi::{MultiHeader, MultiOp, encode_multi};
use grevy_proto::reply::{Create2Response, GetDataResponse};
use grevy_proto::request::{Check, Delete, Read, SetData};
use grevy_proto::{Decode, DecodeError, ErrorCode, OpCode, Reader, Stat};
use std::borrow::Cow;

/// Writes that take effect together or not at all.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_client::{CreateOptions, Transaction};
///
/// # client.create("/leader", b"", &grevy_client::CreateOptions::persistent()).await?;
/// # client.create("/task", b"", &grevy_client::CreateOptions::persistent()).await?;
/// let mut transaction = Transaction::new();
/// transaction
///     .check("/leader", 0)
///     .create("/result", b"42", &CreateOptions::persistent())
///     .delete("/task", None);
/// let results = client.multi(transaction).await?;
/// assert_eq!(results.len(), 3);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    writes: Vec<Write>,
}

#[derive(Debug, Clone)]
enum Write {
    Create(String, Vec<u8>, CreateOptions),
    Delete(String, i32),
    SetData(String, Vec<u8>, i32),
    Check(String, i32),
}

/// What one operation of a [`Transaction`] did.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_client::{CreateOptions, OpResult, Transaction};
///
/// let mut transaction = Transaction::new();
/// transaction.create("/job-", b"", &CreateOptions::persistent().sequential());
/// for result in client.multi(transaction).await? {
///     if let OpResult::Created { path, .. } = result {
///         println!("created {path}");
///     }
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpResult {
    /// A znode was created.
    Created {
        /// Where, with its number if it is sequential.
        path: String,
        /// Its metadata; `None` from servers before 3.7.
        stat: Option<Stat>,
    },
    /// A znode was deleted.
    Deleted,
    /// A znode's data was set; its new metadata.
    DataSet(Stat),
    /// A znode had the expected version.
    Checked,
}

impl Transaction {
    /// Without operations; the server accepts that, too.
    pub fn new() -> Self {
        Self::default()
    }

    /// See [`Client::create`].
    pub fn create(&mut self, path: &str, data: &[u8], options: &CreateOptions) -> &mut Self {
        let write = Write::Create(path.to_owned(), data.to_vec(), options.clone());
        self.add(write)
    }

    /// See [`Client::delete`].
    pub fn delete(&mut self, path: &str, version: Option<i32>) -> &mut Self {
        self.add(Write::Delete(path.to_owned(), version.unwrap_or(-1)))
    }

    /// See [`Client::set_data`].
    pub fn set_data(&mut self, path: &str, data: &[u8], version: Option<i32>) -> &mut Self {
        let version = version.unwrap_or(-1);
        self.add(Write::SetData(path.to_owned(), data.to_vec(), version))
    }

    /// See [`Client::check`].
    pub fn check(&mut self, path: &str, version: i32) -> &mut Self {
        self.add(Write::Check(path.to_owned(), version))
    }

    fn add(&mut self, write: Write) -> &mut Self {
        self.writes.push(write);
        self
    }
}

/// Reads in one request. They are not a snapshot: writes may come between them.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_client::{ReadResult, Reads};
///
/// # client.create("/a", b"", &grevy_client::CreateOptions::persistent()).await?;
/// # client.create("/b", b"", &grevy_client::CreateOptions::persistent()).await?;
/// let mut reads = Reads::new();
/// reads.get_data("/a").get_children("/b");
/// for result in client.multi_read(reads).await? {
///     match result {
///         Ok(ReadResult::Data(data, _)) => println!("{data:?}"),
///         Ok(ReadResult::Children(names)) => println!("{names:?}"),
///         Err(code) => println!("{code}"),
///     }
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Default)]
pub struct Reads {
    reads: Vec<(OpCode, String)>,
}

/// What one of several [`Reads`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadResult {
    /// A znode's data and metadata.
    Data(Vec<u8>, Stat),
    /// The names of a znode's children.
    Children(Vec<String>),
}

impl Reads {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// See [`Client::get_data`].
    pub fn get_data(&mut self, path: &str) -> &mut Self {
        self.reads.push((OpCode::GetData, path.to_owned()));
        self
    }

    /// See [`Client::get_children`].
    pub fn get_children(&mut self, path: &str) -> &mut Self {
        self.reads.push((OpCode::GetChildren, path.to_owned()));
        self
    }
}

impl Client {
    /// Does all of the writes, or none.
    ///
    /// # Errors
    ///
    /// [`Transaction`](Error::Transaction) names the first operation that failed.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::{CreateOptions, Error, ErrorCode, Transaction};
    ///
    /// let mut transaction = Transaction::new();
    /// transaction
    ///     .create("/a", b"", &CreateOptions::persistent())
    ///     .delete("/missing", None);
    /// let failed = client.multi(transaction).await;
    /// let expected = Error::Transaction { index: 1, code: ErrorCode::NoNode };
    /// assert_eq!(failed, Err(expected));
    /// assert_eq!(client.exists("/a").await?, None);
    /// # Ok(())
    /// # });
    /// ```
    pub fn multi(&self, transaction: Transaction) -> Answer<Vec<OpResult>> {
        let body = match self.encode_writes(&transaction.writes) {
            Ok(body) => body,
            Err(error) => return Answer::refused(error),
        };
        let chroot = self.chroot_path();
        let receiver = self.submit(request(OpCode::Multi, body), None);
        Answer::new(receiver, move |outcome| {
            let operation = Operation::new(OpCode::Multi, "");
            finish(operation, |record| read_results(record, &chroot))(outcome)?
        })
    }

    /// Fails unless a znode exists and has this version. It is decided like a write, as a
    /// transaction of its own, so success also means that the leader has a quorum.
    ///
    /// # Errors
    ///
    /// `NoNode`, `BadVersion`, `NoAuth`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::ErrorCode;
    ///
    /// # client.create("/leader", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// client.check("/leader", 0).await?;
    /// let changed = client.check("/leader", 3).await;
    /// assert!(changed.is_err_and(|error| error.is(ErrorCode::BadVersion)));
    /// # Ok(())
    /// # });
    /// ```
    pub fn check(&self, path: &str, version: i32) -> Answer<()> {
        let operation = Operation::new(OpCode::Check, path);
        let body = match self.encode_writes(&[Write::Check(path.to_owned(), version)]) {
            Ok(body) => body,
            Err(error) => return Answer::refused(error),
        };
        let receiver = self.submit(request(OpCode::Multi, body), None);
        Answer::new(receiver, move |outcome| {
            let results = finish(operation.clone(), |record| read_results(record, ""))(outcome)?;
            match results {
                Err(Error::Transaction { code, .. }) => Err(Error::Server { operation, code }),
                other => other.map(drop),
            }
        })
    }

    /// Does all of the reads; each has a result of its own.
    ///
    /// # Errors
    ///
    /// `Unimplemented` before 3.6.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::{ErrorCode, ReadResult, Reads};
    ///
    /// let mut reads = Reads::new();
    /// reads.get_children("/").get_data("/missing");
    /// let results = client.multi_read(reads).await?;
    /// assert!(matches!(results[0], Ok(ReadResult::Children(_))));
    /// assert_eq!(results[1], Err(ErrorCode::NoNode));
    /// # Ok(())
    /// # });
    /// ```
    pub fn multi_read(&self, reads: Reads) -> Answer<Vec<Result<ReadResult, ErrorCode>>> {
        let mut ops = Vec::new();
        for (op, path) in &reads.reads {
            match self.server_path(path) {
                Ok(path) => ops.push(MultiOp::Read(
                    *op,
                    Read {
                        path: path.into(),
                        watch: false,
                    },
                )),
                Err(error) => return Answer::refused(error),
            }
        }
        let mut body = Vec::new();
        encode_multi(&ops, &mut body);
        let receiver = self.submit(request(OpCode::MultiRead, body), None);
        let operation = Operation::new(OpCode::MultiRead, "");
        Answer::new(receiver, finish(operation, read_reads))
    }

    fn encode_writes(&self, writes: &[Write]) -> Result<Vec<u8>, Error> {
        let mut ops = Vec::new();
        for write in writes {
            ops.push(match write {
                Write::Create(path, data, options) => {
                    let path = self.created_path(path, options)?;
                    match options.op() {
                        OpCode::CreateTtl => MultiOp::CreateTtl(options.create_ttl(path, data)),
                        op => MultiOp::Create(op, options.create(path, data)),
                    }
                }
                Write::Delete(path, version) => MultiOp::Delete(Delete {
                    path: self.server_path(path)?.into(),
                    version: *version,
                }),
                Write::SetData(path, data, version) => MultiOp::SetData(SetData {
                    path: self.server_path(path)?.into(),
                    data: Some(data),
                    version: *version,
                }),
                Write::Check(path, version) => MultiOp::Check(Check {
                    path: self.server_path(path)?.into(),
                    version: *version,
                }),
            });
        }
        let mut body = Vec::new();
        encode_multi(&ops, &mut body);
        Ok(body)
    }
}

fn request(op: OpCode, body: Vec<u8>) -> Request {
    Request {
        op,
        body,
        effect: Effect::None,
    }
}

/// The results of a multi; the inner error is that of the first operation that failed.
fn read_results(record: &[u8], chroot: &str) -> Result<Result<Vec<OpResult>, Error>, DecodeError> {
    let mut reader = Reader::new(record);
    let mut results = Vec::new();
    let mut failure = None;
    for index in 0.. {
        let header = MultiHeader::decode(&mut reader)?;
        if header.done {
            break;
        }
        let op = OpCode::from_wire(header.op).ok_or(DecodeError::UnknownValue(header.op))?;
        results.push(match op {
            OpCode::Create => OpResult::Created {
                path: strip(chroot, &Cow::decode(&mut reader)?).to_owned(),
                stat: None,
            },
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                let response = Create2Response::decode(&mut reader)?;
                OpResult::Created {
                    path: strip(chroot, &response.path).to_owned(),
                    stat: Some(response.stat),
                }
            }
            OpCode::Delete => OpResult::Deleted,
            OpCode::SetData => OpResult::DataSet(Stat::decode(&mut reader)?),
            OpCode::Check => OpResult::Checked,
            OpCode::Error => {
                let code = error_code(reader.int()?)?;
                // Those before the one that failed say "ok", those behind it that they were not
                // tried.
                if failure.is_none() && code != ErrorCode::Ok {
                    failure = Some(Error::Transaction { index, code });
                }
                continue;
            }
            _ => return Err(DecodeError::UnknownValue(header.op)),
        });
    }
    Ok(match failure {
        Some(failure) => Err(failure),
        None => Ok(results),
    })
}

fn read_reads(record: &[u8]) -> Result<Vec<Result<ReadResult, ErrorCode>>, DecodeError> {
    let mut reader = Reader::new(record);
    let mut results = Vec::new();
    loop {
        let header = MultiHeader::decode(&mut reader)?;
        if header.done {
            return Ok(results);
        }
        let op = OpCode::from_wire(header.op).ok_or(DecodeError::UnknownValue(header.op))?;
        results.push(match op {
            OpCode::GetData => {
                let response = GetDataResponse::decode(&mut reader)?;
                let data = response.data.unwrap_or_default().to_vec();
                Ok(ReadResult::Data(data, response.stat))
            }
            OpCode::GetChildren => {
                let names = Vec::<Cow<'_, str>>::decode(&mut reader)?;
                let names = names.into_iter().map(Cow::into_owned).collect();
                Ok(ReadResult::Children(names))
            }
            OpCode::Error => Err(error_code(reader.int()?)?),
            _ => return Err(DecodeError::UnknownValue(header.op)),
        });
    }
}

fn error_code(code: i32) -> Result<ErrorCode, DecodeError> {
    ErrorCode::from_wire(code).ok_or(DecodeError::UnknownValue(code))
}
