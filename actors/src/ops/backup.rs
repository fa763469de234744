//! All data into one file, while running.

use std::path::Path;

use serde_json::json;
use tollgate_store::{By, audit, backup};

use super::field::Misfit;
use super::{Answer, BackupTo, Ops};

impl Ops {
    pub(super) async fn backup(&self, by: &By, to: BackupTo) -> Answer {
        let path = Path::new(&to.file);
        if path.exists() {
            return Err(Misfit::new("FILE", format!("{} is there already", path.display())).into());
        }
        let saved = backup::save(&self.store, path, to.with_key).await?;
        audit::record(&self.store, by, "backup", "database", &to.file).await?;
        Ok(json!({ "file": to.file, "tables": saved.tables, "rows": saved.rows }))
    }
}
