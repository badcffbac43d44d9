//! The one SQLite file in which sessions, secrets, queues and the S3 index live.
//!
//! One file, so that what belongs together is one transaction: an object and the messages that announce it. Nothing
//! is forced to disk (`synchronous = OFF`): a killed process loses nothing, a power cut may lose the last moments.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::AwsError;

/// Raised by one with every change of `schema.sql` that existing files do not have.
const SCHEMA_VERSION: i64 = 1;

/// A shared connection. Statements are short; they run on the caller's thread.
#[derive(Clone)]
pub(crate) struct Database {
    connection: Arc<Mutex<Connection>>,
}

impl Database {
    /// Opens or creates the file and every table in it. A file that another version wrote is refused.
    pub(crate) fn open(path: &Path) -> Result<Database, AwsError> {
        let connection = Connection::open(path)?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let is_new: bool =
            connection.query_row("SELECT COUNT(*) = 0 FROM sqlite_master", [], |row| row.get(0))?;
        if !is_new && version != SCHEMA_VERSION {
            return Err(AwsError::WrittenByAnotherVersion(path.to_owned()));
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.execute_batch(include_str!("schema.sql"))?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        Ok(Database { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs one transaction: all of it happens, or, on an error, nothing. Transactions never overlap.
    pub(crate) fn transaction<T, E: From<rusqlite::Error>>(
        &self,
        run: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = run(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::Database;
    use crate::aws::AwsError;

    #[test]
    fn a_file_of_another_version_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("aws.sqlite");
        Database::open(&path).unwrap();
        let database = Database::open(&path).unwrap();
        database.connection.lock().unwrap().pragma_update(None, "user_version", 0).unwrap();
        drop(database);
        assert!(matches!(Database::open(&path), Err(AwsError::WrittenByAnotherVersion(_))));
    }
}
