//! The directory that holds a local stack's state, used by one process at a time.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::StartError;
use crate::control;

/// Where the state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDirectory {
    /// Here, over restarts. One process at a time.
    Persistent(PathBuf),
    /// In a temporary directory that is removed at the end.
    Ephemeral,
}

/// The data directory, locked.
pub(crate) struct Data {
    pub(crate) path: PathBuf,
    _lock: File,
    temporary: Option<TempDir>,
}

impl Data {
    /// Creates what is missing and takes the lock, which is held until this is dropped.
    pub(crate) fn open(directory: &DataDirectory) -> Result<Self, StartError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StartError::DataDirectory { path, source }
        };
        let (path, temporary) = match directory {
            DataDirectory::Persistent(path) => (path.clone(), None),
            DataDirectory::Ephemeral => {
                let temporary = TempDir::new().map_err(failed(&std::env::temp_dir()))?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        std::fs::create_dir_all(&path).map_err(failed(&path))?;
        let lock = File::create(path.join("in-use")).map_err(failed(&path))?;
        match lock.try_lock() {
            Ok(()) => {
                control::forget(&path).map_err(failed(&path))?;
                Ok(Self { path, _lock: lock, temporary })
            }
            Err(TryLockError::WouldBlock) => Err(StartError::DataDirectoryInUse(path)),
            Err(TryLockError::Error(source)) => Err(StartError::DataDirectory { path, source }),
        }
    }

    /// Whether it outlives the process.
    pub(crate) fn is_kept(&self) -> bool {
        self.temporary.is_none()
    }
}
