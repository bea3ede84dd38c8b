//! The fewest rules: covers the wanted (peer, port) pairs by products of peers and ports, exactly.
//!
//! A rule allows every one of its peers on every one of its ports, so only products whose pairs are all wanted may be used. The
//! cost of a rule is what a reviewer reads: 1 + its peers + its ports.

use std::collections::{BTreeMap, BTreeSet};

/// A product of peers and ports.
pub(super) type Product<P, Q> = (BTreeSet<P>, BTreeSet<Q>);

/// Rectangles over row and column classes, as bit sets.
type Rectangle = (u64, u64);

/// Covers `cells` by products inside `cells`. The least cost where the pairs fall into few classes of alike peers or ports
/// (four on one side), else as little as a descent from the better of both groupings finds. Same cells, same products.
pub(super) fn cover<P: Ord + Clone, Q: Ord + Clone>(cells: &BTreeSet<(P, Q)>) -> Vec<Product<P, Q>> {
    let (rows, columns) = classes(cells);
    if rows.len().max(columns.len()) > Grid::SIDE {
        return by_class(cells, &rows, &columns);
    }
    let grid = Grid::new(cells, &rows, &columns);
    let rectangles = if grid.rows.len() <= grid.columns.len() {
        grid.solve()
    } else {
        grid.transposed().solve().into_iter().map(|(rows, columns)| (columns, rows)).collect()
    };
    let mut products: Vec<Product<P, Q>> = rectangles
        .into_iter()
        .map(|(row_bits, column_bits)| (members(&rows, row_bits), members(&columns, column_bits)))
        .collect();
    products.sort();
    products
}

/// Peers with the same ports are one class, ports with the same peers are one class: a least cover exists that treats the
/// members of a class alike, for whatever is right for the cheapest member is right for all.
fn classes<P: Ord + Clone, Q: Ord + Clone>(cells: &BTreeSet<(P, Q)>) -> (Vec<Vec<P>>, Vec<Vec<Q>>) {
    let mut by_peer: BTreeMap<&P, BTreeSet<&Q>> = BTreeMap::new();
    let mut by_port: BTreeMap<&Q, BTreeSet<&P>> = BTreeMap::new();
    for (peer, port) in cells {
        by_peer.entry(peer).or_default().insert(port);
        by_port.entry(port).or_default().insert(peer);
    }
    (grouped(by_peer), grouped(by_port))
}

fn grouped<K: Ord + Clone, V: Ord>(sets: BTreeMap<&K, V>) -> Vec<Vec<K>> {
    let mut groups: BTreeMap<V, Vec<K>> = BTreeMap::new();
    for (key, set) in sets {
        groups.entry(set).or_default().push(key.clone());
    }
    let mut groups: Vec<Vec<K>> = groups.into_values().collect();
    groups.sort();
    groups
}

/// One product for each class of the side that has fewer: what remains practicable with very many classes.
fn by_class<P: Ord + Clone, Q: Ord + Clone>(cells: &BTreeSet<(P, Q)>, rows: &[Vec<P>], columns: &[Vec<Q>]) -> Vec<Product<P, Q>> {
    let mut products: Vec<Product<P, Q>> = Vec::new();
    if rows.len() <= columns.len() {
        for row in rows {
            let ports = cells.iter().filter(|(peer, _)| row.first() == Some(peer)).map(|(_, port)| port.clone()).collect();
            products.push((row.iter().cloned().collect(), ports));
        }
    } else {
        for column in columns {
            let peers = cells.iter().filter(|(_, port)| column.first() == Some(port)).map(|(peer, _)| peer.clone()).collect();
            products.push((peers, column.iter().cloned().collect()));
        }
    }
    products.sort();
    products
}

fn members<T: Ord + Clone>(classes: &[Vec<T>], bits: u64) -> BTreeSet<T> {
    let chosen = classes.iter().enumerate().filter(|(position, _)| bits >> position & 1 == 1);
    chosen.flat_map(|(_, class)| class.iter().cloned()).collect()
}

/// Which row classes go with which column classes, and how many members each class has.
struct Grid {
    rows: Vec<Line>,
    columns: Vec<Line>,
}

/// One class: its members' number, and the classes across that it goes with.
#[derive(Clone, Copy)]
struct Line {
    weight: usize,
    across: u64,
}

impl Grid {
    /// Most classes on a side that bit sets hold.
    const SIDE: usize = 64;
    /// Most different row sets that the exact search tries all families of.
    const EXACT: usize = 15;
    /// Most rectangles that the descent compares pair by pair.
    const DESCENT: usize = 200;

    fn new<P: Ord + Clone, Q: Ord + Clone>(cells: &BTreeSet<(P, Q)>, rows: &[Vec<P>], columns: &[Vec<Q>]) -> Self {
        let wanted = |row: &Vec<P>, column: &Vec<Q>| match (row.first(), column.first()) {
            (Some(peer), Some(port)) => cells.contains(&(peer.clone(), port.clone())),
            _ => false,
        };
        let row_lines =
            rows.iter().map(|row| Line { weight: row.len(), across: bits(columns.iter().map(|column| wanted(row, column))) });
        let column_lines =
            columns.iter().map(|column| Line { weight: column.len(), across: bits(rows.iter().map(|row| wanted(row, column))) });
        Self { rows: row_lines.collect(), columns: column_lines.collect() }
    }

    fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows }
    }

    fn solve(&self) -> Vec<Rectangle> {
        let mut sets: BTreeSet<u64> = BTreeSet::new();
        for column in &self.columns {
            // All non-empty subsets of the column's rows, while there are few.
            let mut subset = column.across;
            while subset != 0 && sets.len() <= Self::EXACT {
                sets.insert(subset);
                subset = (subset - 1) & column.across;
            }
        }
        if sets.len() <= Self::EXACT { self.exact(&sets.into_iter().collect::<Vec<u64>>()) } else { self.descent() }
    }

    /// Tries every family of row sets. Within a family each column independently takes the fewest sets that add up to its
    /// rows; so the best family gives the least cover.
    fn exact(&self, sets: &[u64]) -> Vec<Rectangle> {
        let mut best: Option<(usize, Vec<Rectangle>)> = None;
        for family in 1..1u32 << sets.len() {
            let chosen: Vec<u64> =
                sets.iter().enumerate().filter(|(position, _)| family >> position & 1 == 1).map(|(_, set)| *set).collect();
            let fixed: usize = chosen.iter().map(|&set| 1 + weight(&self.rows, set)).sum();
            if best.as_ref().is_some_and(|(cost, _)| fixed >= *cost) {
                continue;
            }
            if let Some((cost, rectangles)) = self.assign(&chosen, fixed)
                && best.as_ref().is_none_or(|(least, _)| cost < *least)
            {
                best = Some((cost, rectangles));
            }
        }
        best.map(|(_, rectangles)| rectangles).unwrap_or_default()
    }

    fn assign(&self, family: &[u64], fixed: usize) -> Option<(usize, Vec<Rectangle>)> {
        let mut cost = fixed;
        let mut columns_of = vec![0u64; family.len()];
        for (position, column) in self.columns.iter().enumerate() {
            let chosen = fewest(family, column.across)?;
            cost += column.weight * chosen.count_ones() as usize;
            for (set, columns) in columns_of.iter_mut().enumerate() {
                if chosen >> set & 1 == 1 {
                    *columns |= 1 << position;
                }
            }
        }
        let rectangles = family.iter().copied().zip(columns_of).filter(|&(_, columns)| columns != 0).collect();
        Some((cost, rectangles))
    }

    /// Starts with one rectangle a row class or one a column class, whichever costs less, and regroups pairs while that saves.
    fn descent(&self) -> Vec<Rectangle> {
        let by_row: Vec<Rectangle> = self.rows.iter().enumerate().map(|(position, row)| (1 << position, row.across)).collect();
        let by_column: Vec<Rectangle> =
            self.columns.iter().enumerate().map(|(position, column)| (column.across, 1 << position)).collect();
        let mut rectangles = if self.total(&by_row) <= self.total(&by_column) { by_row } else { by_column };
        if rectangles.len() > Self::DESCENT {
            return rectangles;
        }
        'again: loop {
            for first in 0..rectangles.len() {
                for second in first + 1..rectangles.len() {
                    let (one, other) = (rectangles[first], rectangles[second]);
                    let before = self.total(&[one, other]);
                    let better = regroupings(one, other).into_iter().find(|pieces| self.total(pieces) < before);
                    if let Some(pieces) = better {
                        rectangles.swap_remove(second);
                        rectangles.swap_remove(first);
                        rectangles.extend(pieces);
                        rectangles.sort_unstable();
                        continue 'again;
                    }
                }
            }
            return rectangles;
        }
    }

    fn total(&self, rectangles: &[Rectangle]) -> usize {
        rectangles.iter().map(|&(rows, columns)| 1 + weight(&self.rows, rows) + weight(&self.columns, columns)).sum()
    }
}

/// Two rectangles as up to three others with the same pairs: what they share in rows (or columns) joined, the rest apart.
fn regroupings((rows, columns): Rectangle, (other_rows, other_columns): Rectangle) -> [Vec<Rectangle>; 2] {
    let kept = |pieces: [Rectangle; 3]| -> Vec<Rectangle> {
        pieces.into_iter().filter(|&(rows, columns)| rows != 0 && columns != 0).collect()
    };
    [
        kept([(rows & other_rows, columns | other_columns), (rows & !other_rows, columns), (other_rows & !rows, other_columns)]),
        kept([
            (rows | other_rows, columns & other_columns),
            (rows, columns & !other_columns),
            (other_rows, other_columns & !columns),
        ]),
    ]
}

/// The fewest sets of the family, as bits of their positions, that lie within `wanted` and add up to it.
fn fewest(family: &[u64], wanted: u64) -> Option<u32> {
    let usable: Vec<usize> = (0..family.len()).filter(|&position| family[position] & !wanted == 0).collect();
    let mut reached: BTreeMap<u64, u32> = BTreeMap::from([(0, 0)]);
    for position in usable {
        let steps: Vec<(u64, u32)> =
            reached.iter().map(|(&rows, &chosen)| (rows | family[position], chosen | 1 << position)).collect();
        for (rows, chosen) in steps {
            let known = reached.entry(rows).or_insert(chosen);
            if chosen.count_ones() < known.count_ones() {
                *known = chosen;
            }
        }
    }
    reached.get(&wanted).copied()
}

fn weight(lines: &[Line], bits: u64) -> usize {
    lines.iter().enumerate().filter(|(position, _)| bits >> position & 1 == 1).map(|(_, line)| line.weight).sum()
}

fn bits(wanted: impl Iterator<Item = bool>) -> u64 {
    wanted.enumerate().fold(0, |bits, (position, is_wanted)| bits | u64::from(is_wanted) << position)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cost<P, Q>(products: &[Product<P, Q>]) -> usize {
        products.iter().map(|(peers, ports)| 1 + peers.len() + ports.len()).sum()
    }

    fn pairs(products: &[Product<u8, u8>]) -> BTreeSet<(u8, u8)> {
        let product = |(peers, ports): &Product<u8, u8>| -> Vec<(u8, u8)> {
            peers.iter().flat_map(|&peer| ports.iter().map(move |&port| (peer, port))).collect()
        };
        products.iter().flat_map(product).collect()
    }

    /// The least cost of any cover, by trying all products inside the cells one after the other.
    fn brute_force(cells: &BTreeSet<(u8, u8)>) -> usize {
        type Pairs = BTreeSet<(u8, u8)>;
        fn search(missing: &Pairs, products: &[(usize, Pairs)], spent: usize, best: &mut usize) {
            let Some(first) = missing.first() else {
                *best = (*best).min(spent);
                return;
            };
            for (cost, product) in products {
                if product.contains(first) && spent + cost < *best {
                    search(&missing.difference(product).copied().collect(), products, spent + cost, best);
                }
            }
        }
        let mut products = Vec::new();
        for peers in 1..8u8 {
            for ports in 1..8u8 {
                let chosen = |bits: u8| (0..3u8).filter(move |bit| bits >> bit & 1 == 1);
                let product: BTreeSet<(u8, u8)> =
                    chosen(peers).flat_map(|peer| chosen(ports).map(move |port| (peer, port))).collect();
                if product.is_subset(cells) {
                    products.push((1 + peers.count_ones() as usize + ports.count_ones() as usize, product));
                }
            }
        }
        let mut best = usize::MAX;
        search(cells, &products, 0, &mut best);
        best
    }

    #[test]
    fn known_matrices() {
        type Row<'a> = (&'a str, &'a [(u8, u8)], usize);
        let rows: [Row; 4] = [
            ("two peers on the same two ports are one rule", &[(0, 1), (0, 2), (1, 1), (1, 2)], 5),
            ("two peers on different ports are two rules", &[(0, 1), (1, 2)], 6),
            ("a chain is not filled up", &[(0, 1), (1, 1), (1, 2)], 7),
            ("one of three peers has one port more", &[(0, 1), (1, 1), (2, 1), (2, 2)], 8),
        ];
        for (message, cells, least) in rows {
            let cells: BTreeSet<(u8, u8)> = cells.iter().copied().collect();
            let products = cover(&cells);
            assert_eq!(pairs(&products), cells, "{message}");
            assert_eq!(cost(&products), least, "{message}: {products:?}");
        }
    }

    #[test]
    fn many_classes_are_still_covered_exactly() {
        let cells: BTreeSet<(u8, u8)> = (0..100).flat_map(|peer| (0..=peer).map(move |port| (peer, port))).collect();
        assert_eq!(pairs(&cover(&cells)), cells);
    }

    proptest! {
        #[test]
        fn exactly_the_wanted_pairs_at_least_cost(bits in 1u16..512) {
            let cells: BTreeSet<(u8, u8)> =
                (0..9u8).filter(|bit| bits >> bit & 1 == 1).map(|bit| (bit / 3, bit % 3)).collect();
            let products = cover(&cells);
            prop_assert_eq!(&pairs(&products), &cells);
            prop_assert_eq!(cost(&products), brute_force(&cells));
        }

        #[test]
        fn larger_matrices_are_covered_exactly_and_no_rule_can_go(
            cells in proptest::collection::btree_set((0u8..12, 0u8..9), 1..70)
        ) {
            let products = cover(&cells);
            prop_assert_eq!(&pairs(&products), &cells);
            for left_out in 0..products.len() {
                let mut fewer = products.clone();
                fewer.remove(left_out);
                prop_assert_ne!(&pairs(&fewer), &cells, "a rule was not needed");
            }
        }
    }
}
