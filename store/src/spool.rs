//! A bounded file of what happened while the database was away, written in order and read again in order.
//!
//! The file has its whole size from the beginning, so that a disk that fills up takes no room away from it. Each record
//! carries its format, its length, the filling it belongs to and a checksum over all of that: reading stops at the first one
//! that does not hold, which is the end, a torn tail, or what an earlier filling left. Records are opaque here.
//!
//! Written without waiting for the disk: a record survives the death of the process at once, and a power cut after
//! [`Spool::sync`].

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use tollgate_types::Wall;

use crate::error::{Error, Result};

/// The spool's file in data_dir.
pub const SPOOL_FILE: &str = "ledger.spool";

/// Format 1: what every record begins with.
const MAGIC: [u8; 4] = *b"TGS1";
/// Magic, length (u32), filling (u64), checksum; numbers little-endian.
const HEADER: usize = 24;
const CHECKSUM: usize = 8;
/// A record is a settlement with its ladder at most; what claims to be longer is no record.
const RECORD_MAX: usize = 1 << 20;
/// The last part in eight is kept for what must not be turned away.
const RESERVE: u64 = 8;

/// The file, open for this process alone.
#[derive(Debug)]
pub struct Spool {
    file: File,
    path: PathBuf,
    size: u64,
    /// Names this filling; records of another one are leftovers.
    filling: u64,
    read_at: u64,
    end: u64,
    /// Records between the two.
    waiting: u64,
    dirty: bool,
}

/// How much a record matters when there is little room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// May be turned away for the sake of the others.
    Light,
    /// May use the reserve.
    Heavy,
}

/// Why a record was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// No room is left for a record of its weight.
    #[error("the spool is full")]
    Full,
    /// The disk.
    #[error("the spool cannot be written: {0}")]
    Disk(#[from] io::Error),
}

/// Some records, oldest first.
#[derive(Debug, Default)]
pub struct Part {
    /// As they were given.
    pub records: Vec<Vec<u8>>,
    /// Where the next part begins; see [`Spool::forget_until`].
    pub until: u64,
}

impl Spool {
    /// Opens or makes the file with room for `size` bytes, and counts what an earlier process left in it. A file that is larger
    /// already keeps its size.
    pub fn open(path: &Path, size: u64, now: Wall) -> Result<Spool> {
        let wrong = |source| Error::File { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(wrong)?;
        let size = size.max(file.metadata().map_err(wrong)?.len());
        reserve(&file, size).map_err(wrong)?;
        let mut spool = Spool {
            file,
            path: path.to_owned(),
            size,
            filling: filling(now),
            read_at: 0,
            end: 0,
            waiting: 0,
            dirty: false,
        };
        spool.find_end().map_err(wrong)?;
        Ok(spool)
    }

    /// Takes a record.
    pub fn append(&mut self, record: &[u8], weight: Weight) -> std::result::Result<(), NotTaken> {
        let room = match weight {
            Weight::Heavy => self.size,
            Weight::Light => self.size - self.size / RESERVE,
        };
        let length = u32::try_from(record.len()).ok().filter(|_| record.len() <= RECORD_MAX).ok_or(NotTaken::Full)?;
        let end = self.end + (HEADER + record.len()) as u64;
        if end > room {
            return Err(NotTaken::Full);
        }
        let mut bytes = Vec::with_capacity(HEADER + record.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&self.filling.to_le_bytes());
        let checksum = checksum(&bytes, record);
        bytes.extend_from_slice(&checksum);
        bytes.extend_from_slice(record);
        // A write that fails half-way leaves a torn tail, which the next one overwrites.
        self.file.write_all_at(&bytes, self.end)?;
        self.end = end;
        self.waiting += 1;
        self.dirty = true;
        Ok(())
    }

    /// Makes durable what was taken. Answers whether there was anything.
    pub fn sync(&mut self) -> io::Result<bool> {
        if !self.dirty {
            return Ok(false);
        }
        self.file.sync_data()?;
        self.dirty = false;
        Ok(true)
    }

    /// The oldest `most` records, which stay until [`Spool::forget_until`].
    pub fn oldest(&self, most: usize) -> Result<Part> {
        let mut part = Part { records: Vec::new(), until: self.read_at };
        while part.records.len() < most && part.until < self.end {
            match self.record_at(part.until, Some(self.filling)).map_err(|source| self.wrong(source))? {
                Some((_, record)) => {
                    part.until += (HEADER + record.len()) as u64;
                    part.records.push(record);
                }
                None => return Err(Error::corrupt(format!("{}: a record at {}", self.path.display(), part.until))),
            }
        }
        Ok(part)
    }

    /// Records before `until` are in the database. Once none is left the file begins anew; until then a restart brings them
    /// all again, which changes nothing.
    pub fn forget_until(&mut self, part: &Part, now: Wall) -> Result<()> {
        self.read_at = part.until.min(self.end);
        self.waiting = self.waiting.saturating_sub(part.records.len() as u64);
        if self.read_at < self.end {
            return Ok(());
        }
        let path = self.path.clone();
        let wrong = |source| Error::File { path, source };
        self.file.write_all_at(&[0; HEADER], 0).and_then(|()| self.file.sync_data()).map_err(wrong)?;
        (self.read_at, self.end, self.waiting, self.dirty) = (0, 0, 0, false);
        self.filling = self.filling.wrapping_add(1).max(filling(now));
        Ok(())
    }

    /// Records that are not in the database yet.
    pub fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Bytes used of the whole.
    pub fn used(&self) -> (u64, u64) {
        (self.end, self.size)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn find_end(&mut self) -> io::Result<()> {
        let mut known = None;
        while let Some((filling, record)) = self.record_at(self.end, known)? {
            known = Some(filling);
            self.end += (HEADER + record.len()) as u64;
            self.waiting += 1;
        }
        if let Some(filling) = known {
            self.filling = filling;
        }
        Ok(())
    }

    /// The record that begins there, of that filling if one is given; `None` where there is none that holds.
    fn record_at(&self, at: u64, filling: Option<u64>) -> io::Result<Option<(u64, Vec<u8>)>> {
        let mut header = [0; HEADER];
        if !read_at(&self.file, &mut header, at)? || header[..4] != MAGIC {
            return Ok(None);
        }
        let mut length = [0; 4];
        length.copy_from_slice(&header[4..8]);
        let length = u32::from_le_bytes(length) as usize;
        let mut own = [0; 8];
        own.copy_from_slice(&header[8..16]);
        let own = u64::from_le_bytes(own);
        if length > RECORD_MAX || filling.is_some_and(|filling| filling != own) {
            return Ok(None);
        }
        let mut record = vec![0; length];
        let whole = read_at(&self.file, &mut record, at + HEADER as u64)?;
        let holds = whole && checksum(&header[..HEADER - CHECKSUM], &record) == header[HEADER - CHECKSUM..];
        Ok(holds.then_some((own, record)))
    }

    fn wrong(&self, source: io::Error) -> Error {
        Error::File { path: self.path.clone(), source }
    }
}

/// Fillings are named by the time they began, so that none is like one before.
fn filling(now: Wall) -> u64 {
    now.micros().unsigned_abs()
}

fn checksum(header: &[u8], record: &[u8]) -> [u8; CHECKSUM] {
    let mut sum = Context::new(&SHA256);
    sum.update(header);
    sum.update(record);
    let mut first = [0; CHECKSUM];
    first.copy_from_slice(&sum.finish().as_ref()[..CHECKSUM]);
    first
}

/// False where the file ends before.
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<bool> {
    match file.read_exact_at(into, at) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes the file's room on the disk now. A file system that cannot promise room gets the length alone.
fn reserve(file: &File, size: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::empty(), 0, size) {
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => file.set_len(size),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Wall = Wall::from_secs(1_800_000_000);

    fn open(folder: &Path, size: u64) -> Spool {
        Spool::open(&folder.join(SPOOL_FILE), size, NOW).unwrap()
    }

    fn all(spool: &Spool) -> Vec<Vec<u8>> {
        spool.oldest(usize::MAX).unwrap().records
    }

    #[test]
    fn what_a_dead_process_wrote_is_read_again_in_order_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path(), 4096);
        for text in ["one", "two", "three"] {
            spool.append(text.as_bytes(), Weight::Heavy).unwrap();
        }
        drop(spool);
        let mut spool = open(folder.path(), 4096);
        assert_eq!((spool.waiting(), all(&spool)), (3, vec![b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]));
        let part = spool.oldest(2).unwrap();
        spool.forget_until(&part, NOW).unwrap();
        assert_eq!((spool.waiting(), all(&spool)), (1, vec![b"three".to_vec()]));
        // A restart in between brings all of them again.
        assert_eq!(open(folder.path(), 4096).waiting(), 3);
        let part = spool.oldest(9).unwrap();
        spool.forget_until(&part, NOW).unwrap();
        assert_eq!((spool.waiting(), spool.used()), (0, (0, 4096)));
        assert_eq!(open(folder.path(), 4096).waiting(), 0);
    }

    #[test]
    fn leftovers_of_an_earlier_filling_are_no_records() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path(), 4096);
        for _ in 0..5 {
            spool.append(b"same", Weight::Heavy).unwrap();
        }
        let part = spool.oldest(9).unwrap();
        spool.forget_until(&part, NOW).unwrap();
        spool.append(b"same", Weight::Heavy).unwrap();
        drop(spool);
        // The second record's place still holds a whole one, of the filling before.
        assert_eq!(open(folder.path(), 4096).waiting(), 1);
    }

    #[test]
    fn a_full_spool_says_so_and_keeps_its_reserve_for_what_is_heavy() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path(), 8 * 128);
        let record = [7; 128 - HEADER];
        for _ in 0..7 {
            spool.append(&record, Weight::Light).unwrap();
        }
        assert!(matches!(spool.append(&record, Weight::Light), Err(NotTaken::Full)));
        spool.append(&record, Weight::Heavy).unwrap();
        assert!(matches!(spool.append(&record, Weight::Heavy), Err(NotTaken::Full)));
        assert_eq!(all(&spool).len(), 8);
        assert_eq!(std::fs::metadata(spool.path()).unwrap().len(), 8 * 128);
    }

    proptest! {
        /// Wherever the last write was torn or a byte was turned over, what stands before it is read and nothing else.
        #[test]
        fn a_torn_tail_costs_the_torn_record_alone(
            sizes in prop::collection::vec(0usize..200, 1..12), hit in any::<prop::sample::Index>(), flip in 1u8..=255,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut spool = open(folder.path(), 8192);
            let records: Vec<Vec<u8>> = sizes.iter().enumerate().map(|(n, size)| vec![n as u8; *size]).collect();
            for record in &records {
                spool.append(record, Weight::Heavy).unwrap();
            }
            let (used, _) = spool.used();
            let at = hit.index(used as usize) as u64;
            let mut byte = [0];
            spool.file.read_exact_at(&mut byte, at).unwrap();
            spool.file.write_all_at(&[byte[0] ^ flip], at).unwrap();
            drop(spool);
            let mut end = 0;
            let whole = records.iter().take_while(|record| {
                end += (HEADER + record.len()) as u64;
                end <= at
            });
            let expected: Vec<Vec<u8>> = whole.cloned().collect();
            let mut spool = open(folder.path(), 8192);
            prop_assert_eq!(all(&spool), expected.clone());
            spool.append(b"after", Weight::Heavy).unwrap();
            prop_assert_eq!(all(&spool).len(), expected.len() + 1);
        }
    }
}
