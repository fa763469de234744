//! Secrets at rest: AES-256-GCM under a key that lives outside the database.
//!
//! A sealed value is bound to its table, row and column, so that one copied to another row does not open.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::error::{Error, Result};

/// The key file's name in data_dir.
pub const KEY_FILE: &str = "seal.key";

const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;

/// Where the key comes from.
#[derive(Clone)]
pub enum KeySource {
    /// `seal.key` in data_dir: 64 hexadecimal digits, mode 0600, made at the first start.
    DataDir,
    /// A file elsewhere (a mounted secret); it is never made by us.
    File(PathBuf),
    /// The key itself, for tests.
    Given([u8; KEY_BYTES]),
}

/// Which column of which row a sealed value belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The row's key as text.
    pub row: &'a str,
    /// The column.
    pub column: &'static str,
}

/// Seals and opens. Cloning it is cheap enough and shares nothing mutable.
pub struct Seal {
    key: LessSafeKey,
    raw: [u8; KEY_BYTES],
}

/// The key as found at start; whether its absence matters is known only once the database was looked at.
pub(crate) enum Found {
    Key(Box<Seal>),
    Absent(PathBuf),
}

impl Seal {
    /// With this key.
    pub fn new(raw: [u8; KEY_BYTES]) -> Seal {
        let key = UnboundKey::new(&AES_256_GCM, &raw).expect("the key has the length that AES-256 wants");
        Seal { key: LessSafeKey::new(key), raw }
    }

    /// `plain` so that only this key opens it, and only at `place`: nonce, ciphertext, tag.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).expect("the system's random source answers");
        let mut sealed = Vec::with_capacity(NONCE_LEN + plain.len() + TAG_BYTES);
        sealed.extend_from_slice(&nonce);
        let mut text = plain.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place.bytes()), &mut text)
            .expect("a secret is far shorter than what GCM can seal");
        sealed.append(&mut text);
        sealed
    }

    /// What was sealed at `place`.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>> {
        let broken = || Error::SealBroken { place: place.to_string() };
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(broken)?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.key.open_in_place(nonce, Aad::from(place.bytes()), &mut text).map_err(|_| broken())?.len();
        text.truncate(length);
        Ok(text)
    }

    /// The key as hexadecimal digits: only for a backup that was asked to contain it.
    pub(crate) fn reveal(&self) -> String {
        hex::encode(self.raw)
    }

    pub(crate) fn find(source: &KeySource, data_dir: &Path) -> Result<Found> {
        let path = match source {
            KeySource::Given(raw) => return Ok(Found::Key(Box::new(Seal::new(*raw)))),
            KeySource::DataDir => data_dir.join(KEY_FILE),
            KeySource::File(path) => path.clone(),
        };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Absent(path)),
            Err(source) => return Err(Error::File { path, source }),
        };
        let wrong = |what: &str| Error::SealKeyFile { path: path.clone(), what: what.to_owned() };
        let mode =
            fs::metadata(&path).map_err(|source| Error::File { path: path.clone(), source })?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(wrong(&format!("can be read by others (mode {:04o}): chmod 600 it", mode & 0o7777)));
        }
        let bytes = hex::decode(text.trim()).map_err(|_| wrong("is not 64 hexadecimal digits"))?;
        let raw = <[u8; KEY_BYTES]>::try_from(bytes).map_err(|_| wrong("is not 64 hexadecimal digits"))?;
        Ok(Found::Key(Box::new(Seal::new(raw))))
    }

    /// A new key, written to `path` before anything is sealed with it.
    pub(crate) fn create(path: &Path) -> Result<Seal> {
        let mut raw = [0; KEY_BYTES];
        aws_lc_rs::rand::fill(&mut raw).expect("the system's random source answers");
        Seal::write(path, &hex::encode(raw))?;
        Ok(Seal::new(raw))
    }

    /// Writes a key file that must not exist yet, readable by its owner alone, and waits until it is on the disk.
    pub(crate) fn write(path: &Path, hex: &str) -> Result<()> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        writeln!(file, "{hex}").map_err(failed)?;
        file.sync_all().map_err(failed)?;
        match path.parent().map(fs::File::open) {
            Some(Ok(folder)) => folder.sync_all().map_err(failed),
            _ => Ok(()),
        }
    }
}

impl Place<'_> {
    fn bytes(&self) -> Vec<u8> {
        [self.table.as_bytes(), self.row.as_bytes(), self.column.as_bytes()].join(&0)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.table, self.row, self.column)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(****)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'_> = Place { table: "secrets", row: "7/example.org", column: "ha1" };

    #[test]
    fn a_secret_opens_only_where_it_was_sealed() {
        let seal = Seal::new([7; 32]);
        let sealed = seal.seal(HERE, b"secret");
        assert_eq!(seal.open(HERE, &sealed).unwrap(), b"secret");
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_ne!(sealed, seal.seal(HERE, b"secret"), "nonces are drawn anew");

        let elsewhere = Place { row: "8/example.org", ..HERE };
        let mut altered = sealed.clone();
        altered[20] ^= 1;
        for (what, result) in [
            ("another row", seal.open(elsewhere, &sealed)),
            ("altered", seal.open(HERE, &altered)),
            ("cut", seal.open(HERE, &sealed[..11])),
            ("another key", Seal::new([8; 32]).open(HERE, &sealed)),
        ] {
            assert!(matches!(result, Err(Error::SealBroken { .. })), "{what}");
        }
    }

    #[test]
    fn the_key_file_is_private_and_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(KEY_FILE);
        assert!(matches!(Seal::find(&KeySource::DataDir, folder.path()).unwrap(), Found::Absent(_)));
        let made = Seal::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Seal::create(&path).is_err(), "never overwritten");
        let Found::Key(found) = Seal::find(&KeySource::DataDir, folder.path()).unwrap() else { panic!("no key") };
        assert_eq!(found.open(HERE, &made.seal(HERE, b"x")).unwrap(), b"x");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Seal::find(&KeySource::DataDir, folder.path()).err().unwrap().to_string();
        assert!(error.ends_with("can be read by others (mode 0640): chmod 600 it"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "cafe").unwrap();
        let error = Seal::find(&KeySource::DataDir, folder.path()).err().unwrap().to_string();
        assert!(error.ends_with("is not 64 hexadecimal digits"), "{error}");
    }
}
