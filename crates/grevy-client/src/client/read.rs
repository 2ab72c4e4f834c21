//! Reads, and the one-shot watches that they may leave.

use super::{Client, decode};
use crate::answer::{Answer, Outcome, finish};
use crate::error::{Error, Operation};
use crate::machine::{Effect, Failure, Request, WatchKind};
use crate::watch::{Inbox, OneshotWatch};
use grevy_proto::reply::GetDataResponse;
use grevy_proto::request::{PathOnly, Read};
use grevy_proto::{Acl, Decode, DecodeError, Encode, ErrorCode, OpCode, Reader, Stat};
use std::borrow::Cow;

impl Client {
    /// The metadata of a znode, if it exists.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// # client.create("/a", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// if let Some(stat) = client.exists("/a").await? {
    ///     println!("created by transaction {}", stat.czxid);
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub fn exists(&self, path: &str) -> Answer<Option<Stat>> {
        let operation = Operation::new(OpCode::Exists, path);
        match self.read_of(path, false) {
            Ok(read) => {
                let receiver = self.submit(request(&operation, &read), None);
                Answer::new(receiver, move |outcome| stat_if_any(outcome, operation))
            }
            Err(error) => Answer::refused(error),
        }
    }

    /// As [`exists`](Self::exists), with a watch for its creation, its deletion, and changes of
    /// its data.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::EventType;
    ///
    /// let (stat, watch) = client.exists_and_watch("/a").await?;
    /// # client.create("/a", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// if stat.is_none() {
    ///     let event = watch.changed().await?;
    ///     assert_eq!(event.kind, EventType::NodeCreated);
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub fn exists_and_watch(&self, path: &str) -> Answer<(Option<Stat>, OneshotWatch)> {
        let operation = Operation::new(OpCode::Exists, path);
        match self.read_of(path, true) {
            Ok(read) => {
                let path = read.path.to_string();
                let (receiver, inbox) =
                    self.ask_and_watch(&operation, read.to_bytes(), WatchKind::Exists, path);
                Answer::new(receiver, move |outcome| {
                    let stat = stat_if_any(outcome, operation)?;
                    Ok((stat, OneshotWatch::new(inbox)))
                })
            }
            Err(error) => Answer::refused(error),
        }
    }

    /// The data and metadata of a znode. Null reads as empty.
    ///
    /// # Errors
    ///
    /// `NoNode`, `NoAuth`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// # client.create("/a", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// let (data, stat) = client.get_data("/a").await?;
    /// client.set_data("/a", &data, Some(stat.version)).await?;
    /// # Ok(())
    /// # });
    /// ```
    pub fn get_data(&self, path: &str) -> Answer<(Vec<u8>, Stat)> {
        self.read(OpCode::GetData, path, data_and_stat)
    }

    /// As [`get_data`](Self::get_data), with a watch for a change or the deletion.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::EventType;
    ///
    /// # client.create("/a", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// let (data, stat, watch) = client.get_data_and_watch("/a").await?;
    /// # client.set_data("/a", b"new", None).await?;
    /// let event = watch.changed().await?;
    /// assert!(matches!(event.kind, EventType::NodeDataChanged | EventType::NodeDeleted));
    /// # Ok(())
    /// # });
    /// ```
    pub fn get_data_and_watch(&self, path: &str) -> Answer<(Vec<u8>, Stat, OneshotWatch)> {
        self.read_and_watch(OpCode::GetData, path, WatchKind::Data, |record, inbox| {
            let (data, stat) = data_and_stat(record)?;
            Ok((data, stat, OneshotWatch::new(inbox)))
        })
    }

    /// The names of a znode's children, in no particular order, and its metadata.
    ///
    /// # Errors
    ///
    /// `NoNode`, `NoAuth`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// let (mut names, stat) = client.get_children("/").await?;
    /// names.sort();
    /// assert_eq!(names, ["zookeeper"]);
    /// # Ok(())
    /// # });
    /// ```
    pub fn get_children(&self, path: &str) -> Answer<(Vec<String>, Stat)> {
        self.read(OpCode::GetChildren2, path, names_and_stat)
    }

    /// As [`get_children`](Self::get_children), with a watch for a child's creation or deletion,
    /// or the znode's own.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// # client.create("/workers", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// let (names, _, watch) = client.get_children_and_watch("/workers").await?;
    /// # client.create("/workers/new", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// watch.changed().await?;
    /// println!("no longer just {names:?}");
    /// # Ok(())
    /// # });
    /// ```
    pub fn get_children_and_watch(&self, path: &str) -> Answer<(Vec<String>, Stat, OneshotWatch)> {
        self.read_and_watch(
            OpCode::GetChildren2,
            path,
            WatchKind::Child,
            |record, inbox| {
                let (names, stat) = names_and_stat(record)?;
                Ok((names, stat, OneshotWatch::new(inbox)))
            },
        )
    }

    /// Who may do what with a znode, and its metadata.
    ///
    /// # Errors
    ///
    /// `NoNode`, `NoAuth`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// # client.create("/a", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// let (acl, _) = client.get_acl("/a").await?;
    /// for entry in acl {
    ///     println!("{}: {:#b}", entry.id, entry.perms);
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub fn get_acl(&self, path: &str) -> Answer<(Vec<Acl>, Stat)> {
        self.path_only(OpCode::GetAcl, path, |record| {
            let mut reader = Reader::new(record);
            Ok((Decode::decode(&mut reader)?, Decode::decode(&mut reader)?))
        })
    }

    /// How many znodes are below one.
    ///
    /// # Errors
    ///
    /// `NoNode`, `NoAuth`; `Unimplemented` before 3.6.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// # client.create("/a", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// # client.create("/a/b", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// println!("{} znodes below", client.get_all_children_number("/a").await?);
    /// # assert_eq!(client.get_all_children_number("/a").await?, 1);
    /// # Ok(())
    /// # });
    /// ```
    pub fn get_all_children_number(&self, path: &str) -> Answer<i32> {
        self.path_only(OpCode::GetAllChildrenNumber, path, decode)
    }

    /// Waits until this server has caught up with its leader, so that reads behind it see what
    /// was written before, by whomever.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// # client.create("/a", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// // The order of the calls is that of execution; the answer to sync itself says little.
    /// let sync = client.sync("/a");
    /// let read = client.get_data("/a");
    /// sync.await?;
    /// let (fresh, _) = read.await?;
    /// # Ok(())
    /// # });
    /// ```
    pub fn sync(&self, path: &str) -> Answer<()> {
        self.path_only(OpCode::Sync, path, |_| Ok(()))
    }

    pub(crate) fn path_only<T>(
        &self,
        op: OpCode,
        path: &str,
        decode: fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Answer<T>
    where
        T: 'static,
    {
        match self.server_path(path) {
            Ok(server_path) => {
                let record = PathOnly {
                    path: server_path.into(),
                };
                self.ask(Operation::new(op, path), &record, decode)
            }
            Err(error) => Answer::refused(error),
        }
    }

    fn read<T: 'static>(
        &self,
        op: OpCode,
        path: &str,
        decode: fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Answer<T> {
        match self.read_of(path, false) {
            Ok(read) => self.ask(Operation::new(op, path), &read, decode),
            Err(error) => Answer::refused(error),
        }
    }

    fn read_and_watch<T: 'static>(
        &self,
        op: OpCode,
        path: &str,
        kind: WatchKind,
        decode: fn(&[u8], Inbox) -> Result<T, DecodeError>,
    ) -> Answer<T> {
        let operation = Operation::new(op, path);
        match self.read_of(path, true) {
            Ok(read) => {
                let path = read.path.to_string();
                let (receiver, inbox) = self.ask_and_watch(&operation, read.to_bytes(), kind, path);
                let read = move |record: &[u8]| decode(record, inbox);
                Answer::new(receiver, finish(operation, read))
            }
            Err(error) => Answer::refused(error),
        }
    }

    fn read_of(&self, path: &str, watch: bool) -> Result<Read<'static>, Error> {
        Ok(Read {
            path: self.server_path(path)?.into(),
            watch,
        })
    }
}

fn request(operation: &Operation, record: &Read<'_>) -> Request {
    Request {
        op: operation.op,
        body: record.to_bytes(),
        effect: Effect::None,
    }
}

/// For exists, "there is none" is an answer.
fn stat_if_any(outcome: Outcome, operation: Operation) -> Result<Option<Stat>, Error> {
    match outcome {
        Err(Failure::Server(code)) if code == ErrorCode::NoNode.wire() => Ok(None),
        outcome => finish(operation, decode)(outcome).map(Some),
    }
}

pub(super) fn data_and_stat(record: &[u8]) -> Result<(Vec<u8>, Stat), DecodeError> {
    let response = GetDataResponse::decode(&mut Reader::new(record))?;
    Ok((response.data.unwrap_or_default().to_vec(), response.stat))
}

fn names_and_stat(record: &[u8]) -> Result<(Vec<String>, Stat), DecodeError> {
    let mut reader = Reader::new(record);
    Ok((strings(&mut reader)?, Decode::decode(&mut reader)?))
}

pub(crate) fn strings(reader: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let names = Vec::<Cow<'_, str>>::decode(reader)?;
    Ok(names.into_iter().map(Cow::into_owned).collect())
}
