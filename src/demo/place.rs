//! Where the demo lives: a folder that goes with it, and a configuration that leads other shells to it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::{Config, Mistakes};
use crate::platform::NoStart;

/// Keys that the environment does not decide here: a demo never touches a database that somebody needs.
const OURS: [&str; 2] = ["TOLLGATE__DATABASE__URL", "TOLLGATE__SERVER__DATA_DIR"];

/// A folder with data and configuration; it goes when this is dropped.
pub struct Place {
    folder: tempfile::TempDir,
    /// What the platform runs by.
    pub config: Config,
}

impl Place {
    /// Makes the folder and reads the configuration: the defaults, and over them the environment.
    pub fn make(environment: impl IntoIterator<Item = (String, String)>) -> Result<Place, NoStart> {
        let folder = tempfile::Builder::new().prefix("tollgate-demo.").tempdir()?;
        let data_dir = folder.path().join("data");
        let environment = environment.into_iter().filter(|(name, _)| !OURS.contains(&name.as_str()));
        let config = Config::from_text("demo", &text(&data_dir, None), environment)
            .map_err(|Mistakes(lines)| NoStart(lines.join("\n")))?;
        let place = Place { folder, config };
        fs::write(place.config_file(), text(&data_dir, Some(&place.config.control_socket())))?;
        Ok(place)
    }

    /// For `--config` in other shells.
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("tollgate.toml")
    }

    /// All of it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn text(data_dir: &Path, socket: Option<&Path>) -> String {
    // A TOML literal and Rust's own agree on all that a path of ours holds.
    let quoted = |path: &Path| format!("{:?}", path.display().to_string());
    let socket = socket.map(|socket| format!("\n[control]\nsocket = {}\n", quoted(socket))).unwrap_or_default();
    format!("[server]\ndata_dir = {}\ndrain_seconds = 5\nlog = \"warn\"\n{socket}", quoted(data_dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn other_shells_find_the_demo_and_the_folder_goes_with_it() {
        let place = Place::make([variable("TOLLGATE__SIP__UDP", "127.0.0.1:5070")]).unwrap();
        assert_eq!(place.config.sip.udp, ["127.0.0.1:5070".parse().unwrap()]);
        let found = Config::load(&place.config_file(), []).unwrap();
        assert_eq!(found.control_socket(), place.config.control_socket());
        assert_eq!(found.server.data_dir, place.config.server.data_dir);
        let folder = place.folder().to_owned();
        assert!(folder.exists());
        drop(place);
        assert!(!folder.exists());
    }

    #[test]
    fn the_environment_cannot_lead_it_to_a_real_database() {
        let place = Place::make([
            variable("TOLLGATE__DATABASE__URL", "postgres://u:p@db/real"),
            variable("TOLLGATE__SERVER__DATA_DIR", "/var/lib/tollgate"),
            variable("TOLLGATE__CONTROL__SOCKET", "/tmp/x.sock"),
        ])
        .unwrap();
        assert!(place.config.server.data_dir.starts_with(place.folder()));
        assert!(place.config.database_url().starts_with("sqlite://"));
        assert_eq!(place.config.control_socket(), Path::new("/tmp/x.sock"));
        assert!(Place::make([variable("TOLLGATE__SIP__UDP", "nowhere")]).is_err());
    }
}
