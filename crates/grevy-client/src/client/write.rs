//! Writes to one znode. None is retried here: see [`RetryPolicy`](crate::RetryPolicy).

use super::{Client, decode};
use crate::answer::Answer;
use crate::error::Operation;
use grevy_proto::request::{Delete, SetAcl, SetData};
use grevy_proto::{Acl, OpCode, Stat};

/// The version that matches every version.
const ANY: i32 = -1;

impl Client {
    /// Deletes a znode without children, of the given version or of any.
    ///
    /// # Errors
    ///
    /// `NoNode`, `NotEmpty`, `BadVersion`, `NoAuth`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// # client.create("/a", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// client.delete("/a", None).await?;
    /// assert_eq!(client.exists("/a").await?, None);
    /// # Ok(())
    /// # });
    /// ```
    pub fn delete(&self, path: &str, version: Option<i32>) -> Answer<()> {
        let operation = Operation::new(OpCode::Delete, path);
        match self.server_path(path) {
            Ok(path) => {
                let delete = Delete {
                    path: path.into(),
                    version: version.unwrap_or(ANY),
                };
                self.ask(operation, &delete, |_| Ok(()))
            }
            Err(error) => Answer::refused(error),
        }
    }

    /// Replaces the data of a znode, of the given version or of any; returns its new metadata.
    ///
    /// # Errors
    ///
    /// `NoNode`, `BadVersion`, `NoAuth`, `QuotaExceeded`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::ErrorCode;
    ///
    /// # client.create("/a", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// let stat = client.set_data("/a", b"1", None).await?;
    /// client.set_data("/a", b"2", Some(stat.version)).await?;
    /// // Now this version is an old one.
    /// let late = client.set_data("/a", b"3", Some(stat.version)).await;
    /// assert!(late.is_err_and(|error| error.is(ErrorCode::BadVersion)));
    /// # Ok(())
    /// # });
    /// ```
    pub fn set_data(&self, path: &str, data: &[u8], version: Option<i32>) -> Answer<Stat> {
        let operation = Operation::new(OpCode::SetData, path);
        match self.server_path(path) {
            Ok(path) => {
                let set = SetData {
                    path: path.into(),
                    data: Some(data),
                    version: version.unwrap_or(ANY),
                };
                self.ask(operation, &set, decode)
            }
            Err(error) => Answer::refused(error),
        }
    }

    /// Replaces who may do what with a znode, of the given `aversion` or of any.
    ///
    /// # Errors
    ///
    /// `NoNode`, `BadVersion`, `InvalidAcl`, `NoAuth`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::Acl;
    ///
    /// # client.create("/a", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// let (_, stat) = client.get_acl("/a").await?;
    /// client.set_acl("/a", &[Acl::READ], Some(stat.aversion)).await?;
    /// # Ok(())
    /// # });
    /// ```
    pub fn set_acl(&self, path: &str, acl: &[Acl], aversion: Option<i32>) -> Answer<Stat> {
        let operation = Operation::new(OpCode::SetAcl, path);
        match self.server_path(path) {
            Ok(path) => {
                let set = SetAcl {
                    path: path.into(),
                    acl: acl.to_vec(),
                    version: aversion.unwrap_or(ANY),
                };
                self.ask(operation, &set, decode)
            }
            Err(error) => Answer::refused(error),
        }
    }
}
