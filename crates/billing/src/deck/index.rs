//! Longest prefix: a trie of digits in one flat array, a node's children side by side, sixteen bytes a node.

use tollgate_types::{E164, Prefix};

/// Where in a list sorted by prefix the rows of each prefix lie.
#[derive(Clone, Debug)]
pub struct Index {
    nodes: Vec<Node>,
}

/// Rows of one prefix: a range of the sorted list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first one's place.
    pub start: u32,
    /// How many.
    pub len: u16,
}

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    /// Bit d: there is a child for digit d.
    children: u16,
    rows: Span,
    first_child: u32,
}

impl Index {
    /// `prefixes` is sorted; equal ones stand together.
    pub fn build(prefixes: &[Prefix]) -> Index {
        let mut nodes = vec![Node::default()];
        // One level of the trie at a time: (node, its range of prefixes), all of which share the digits up to `depth`.
        let mut level = vec![(0usize, 0usize, prefixes.len())];
        for depth in 0..=PREFIX_DIGITS {
            let mut next = Vec::new();
            for (node, start, end) in level {
                let own = prefixes[start..end].iter().take_while(|prefix| prefix.digits().len() == depth).count();
                nodes[node].rows = Span { start: start as u32, len: own.min(usize::from(u16::MAX)) as u16 };
                nodes[node].first_child = nodes.len() as u32;
                let mut at = start + own;
                while at < end {
                    let digit = digit(prefixes[at].digits().as_bytes()[depth]);
                    let same = |prefix: &Prefix| self::digit(prefix.digits().as_bytes()[depth]) == digit;
                    let stop = at + prefixes[at..end].iter().take_while(|prefix| same(prefix)).count();
                    nodes[node].children |= 1 << digit;
                    next.push((nodes.len(), at, stop));
                    nodes.push(Node::default());
                    at = stop;
                }
            }
            level = next;
        }
        nodes.shrink_to_fit();
        Index { nodes }
    }

    /// Calls `visit` with the rows of each prefix that `number` begins with, shortest first.
    pub fn walk(&self, number: &E164, mut visit: impl FnMut(Span)) {
        let mut node = self.nodes[0];
        if node.rows.len > 0 {
            visit(node.rows);
        }
        for byte in number.digits().bytes() {
            let bit = 1u16 << digit(byte);
            if node.children & bit == 0 {
                return;
            }
            node = self.nodes[node.first_child as usize + (node.children & (bit - 1)).count_ones() as usize];
            if node.rows.len > 0 {
                visit(node.rows);
            }
        }
    }
}

/// Prefixes are at most so long, as numbers are.
pub(super) const PREFIX_DIGITS: usize = 15;

fn digit(byte: u8) -> u8 {
    byte.wrapping_sub(b'0').min(9)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_a_plain_search_finds(
            prefixes in prop::collection::vec("[0-3]{0,5}", 0..60), numbers in prop::collection::vec("[0-3]{1,8}", 20),
        ) {
            let mut prefixes: Vec<Prefix> = prefixes.iter().map(|text| text.parse().unwrap()).collect();
            prefixes.sort_unstable_by(|a, b| a.digits().cmp(b.digits()));
            let index = Index::build(&prefixes);
            for number in numbers {
                let number: E164 = number.parse().unwrap();
                let mut found = Vec::new();
                index.walk(&number, |span| {
                    for at in span.start..span.start + u32::from(span.len) {
                        found.push(prefixes[at as usize]);
                    }
                });
                let mut plain: Vec<Prefix> = prefixes.iter().copied().filter(|prefix| prefix.fits(&number)).collect();
                plain.sort_by_key(|prefix| prefix.digits().len());
                prop_assert_eq!(found, plain);
            }
        }
    }
}
