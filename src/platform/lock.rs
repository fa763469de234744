//! One process a data folder: a server, or one command without a server.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::NoStart;

/// Held for as long as it lives.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the folder's lock, or says who is in the way.
    pub fn take(data_dir: &Path) -> Result<Lock, NoStart> {
        let path = data_dir.join("tollgate.lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| NoStart(format!("{}: {error}", path.display())))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                let hint = "another tollgate works on this folder and its control socket does not answer";
                Err(NoStart(format!("{}: {hint}", path.display())))
            }
            Err(TryLockError::Error(error)) => Err(NoStart(format!("{}: {error}", path.display()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let held = Lock::take(folder.path()).unwrap();
        assert!(Lock::take(folder.path()).is_err());
        drop(held);
        assert!(Lock::take(folder.path()).is_ok());
    }
}
