//! What is to be done later, by time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Due things, the earliest first.
#[derive(Debug)]
pub struct Agenda<T>(BinaryHeap<Reverse<Entry<T>>>);

#[derive(Debug)]
struct Entry<T> {
    at: Instant,
    what: T,
}

impl<T> Agenda<T> {
    pub fn new() -> Agenda<T> {
        Agenda(BinaryHeap::new())
    }

    pub fn put(&mut self, at: Instant, what: T) {
        self.0.push(Reverse(Entry { at, what }));
    }

    /// The earliest, if it is due.
    pub fn take(&mut self, now: Instant) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse(entry)| entry.what)
    }

    pub fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse(entry)| entry.at)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Entry<T>) -> bool {
        self.at == other.at
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Entry<T>) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Entry<T>) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}
