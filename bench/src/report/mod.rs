//! The figures, as a table for people and as JSON for programs.

mod json;

use crate::server::Kind;
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub use json::write as write_json;

/// Which direction is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Higher,
    Lower,
}

/// A measured quantity of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    pub name: &'static str,
    pub unit: &'static str,
    pub better: Better,
}

impl Figure {
    /// A figure that should be small.
    pub const fn lower(name: &'static str, unit: &'static str) -> Figure {
        Figure {
            name,
            unit,
            better: Better::Lower,
        }
    }

    /// A figure that should be large.
    pub const fn higher(name: &'static str, unit: &'static str) -> Figure {
        Figure {
            name,
            unit,
            better: Better::Higher,
        }
    }
}

/// All figures of a run.
#[derive(Default)]
pub struct Report {
    entries: Vec<Entry>,
}

struct Entry {
    row: &'static str,
    figure: Figure,
    /// One value for each round.
    values: BTreeMap<Column, Vec<f64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Java,
    Grevy,
    Other,
    Floor,
}

impl Column {
    const ALL: [Column; 4] = [Column::Java, Column::Grevy, Column::Other, Column::Floor];

    fn of(kind: Kind) -> Column {
        match kind {
            Kind::Java => Column::Java,
            Kind::Grevy => Column::Grevy,
            Kind::Echo => Column::Floor,
            Kind::Address { .. } => Column::Other,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Column::Java => "java",
            Column::Grevy => "grevy",
            Column::Other => "address",
            Column::Floor => "floor",
        }
    }
}

impl Report {
    /// Adds one value; further rounds add theirs to the same figure.
    pub fn add(&mut self, kind: Kind, row: &'static str, figure: Figure, value: f64) {
        eprintln!(
            "    {row:<18} {:<24} {:>12} {}",
            figure.name,
            number(value),
            figure.unit
        );
        let entry = match self
            .entries
            .iter_mut()
            .position(|entry| entry.row == row && entry.figure == figure)
        {
            Some(at) => &mut self.entries[at],
            None => {
                self.entries.push(Entry {
                    row,
                    figure,
                    values: BTreeMap::new(),
                });
                let last = self.entries.len() - 1;
                &mut self.entries[last]
            }
        };
        entry
            .values
            .entry(Column::of(kind))
            .or_default()
            .push(value);
    }

    /// The table, with rows in the order of `order`.
    pub fn table(&self, order: &[&str]) -> String {
        let columns: Vec<Column> = Column::ALL
            .into_iter()
            .filter(|column| {
                self.entries
                    .iter()
                    .any(|entry| entry.values.contains_key(column))
            })
            .collect();
        let with_ratio = columns.starts_with(&[Column::Java, Column::Grevy]);
        let mut lines = vec![vec!["row".to_owned(), "figure".to_owned()]];
        lines[0].extend(columns.iter().map(|column| column.title().to_owned()));
        if with_ratio {
            lines[0].push("ratio".to_owned());
        }
        for entry in self.sorted(order) {
            let mut line = vec![
                entry.row.to_owned(),
                format!("{} ({})", entry.figure.name, entry.figure.unit),
            ];
            line.extend(
                columns
                    .iter()
                    .map(|&column| entry.median(column).map_or("–".to_owned(), number)),
            );
            if with_ratio {
                line.push(
                    entry
                        .ratio()
                        .map_or("–".to_owned(), |ratio| format!("{}×", number(ratio))),
                );
            }
            lines.push(line);
        }
        align(&lines)
    }

    fn sorted(&self, order: &[&str]) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by_key(|entry| order.iter().position(|row| *row == entry.row));
        entries
    }
}

impl Entry {
    fn median(&self, column: Column) -> Option<f64> {
        median(self.values.get(&column)?)
    }

    /// How many times better Grevy is than the Java server.
    fn ratio(&self) -> Option<f64> {
        let (java, grevy) = (self.median(Column::Java)?, self.median(Column::Grevy)?);
        let (above, below) = match self.figure.better {
            Better::Higher => (grevy, java),
            Better::Lower => (java, grevy),
        };
        (below > 0.0).then(|| above / below)
    }
}

/// The middle of the values; the lower one of two.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
}

/// A number with three significant digits, and thousands apart.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        magnitude if magnitude >= 100.0 || magnitude == 0.0 => 0,
        magnitude if magnitude >= 10.0 => 1,
        magnitude if magnitude >= 1.0 => 2,
        _ => 3,
    };
    let plain = format!("{value:.decimals$}");
    let (whole, rest) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let mut text = String::new();
    for (at, digit) in whole.chars().enumerate() {
        let left = whole.len() - at;
        if at > 0 && left.is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}

fn align(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines
            .iter()
            .filter_map(|line| line.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        for (column, cell) in line.iter().enumerate() {
            let width = widths[column];
            // Writing to a string cannot fail.
            let _ = if column < 2 {
                write!(text, "| {cell:<width$} ")
            } else {
                write!(text, "| {cell:>width$} ")
            };
        }
        text.push_str("|\n");
        if at == 0 {
            for (column, width) in widths.iter().enumerate() {
                let (dashes, end) = if column < 2 {
                    (width + 2, "")
                } else {
                    (width + 1, ":")
                };
                let _ = write!(text, "|{}{end}", "-".repeat(dashes));
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_readable() {
        let cases = [
            (0.0, "0"),
            (0.1234, "0.123"),
            (1.236, "1.24"),
            (12.36, "12.4"),
            (123.6, "124"),
            (1234.0, "1,234"),
            (1234567.8, "1,234,568"),
            (-123456.0, "-123,456"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn the_ratio_says_how_many_times_better_grevy_is() {
        let mut report = Report::default();
        for (kind, throughput, latency) in [
            (Kind::Java, 10.0, 6.0),
            (Kind::Grevy, 30.0, 2.0),
            (Kind::Echo, 60.0, 1.0),
        ] {
            report.add(kind, "b", Figure::lower("p50", "µs"), latency);
            report.add(kind, "a", Figure::higher("throughput", "ops/s"), throughput);
        }
        let expected = "\
            | row | figure             | java | grevy | floor | ratio |\n\
            |-----|--------------------|-----:|------:|------:|------:|\n\
            | a   | throughput (ops/s) | 10.0 |  30.0 |  60.0 | 3.00× |\n\
            | b   | p50 (µs)           | 6.00 |  2.00 |  1.00 | 3.00× |\n";
        assert_eq!(report.table(&["a", "b"]), expected);
    }

    #[test]
    fn rounds_are_joined_by_their_median() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0]), Some(1.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
    }
}
