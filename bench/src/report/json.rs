//! The figures in a form that other programs read.

use super::{Better, Column, Report};
use crate::failure::Result;
use std::fmt::Write as _;
use std::path::Path;

/// Writes every figure, with all rounds, to `path`. `context` is pairs of names and texts about the run.
pub fn write(
    report: &Report,
    order: &[&str],
    context: &[(&str, String)],
    path: &Path,
) -> Result<()> {
    std::fs::write(path, text(report, order, context))?;
    Ok(())
}

fn text(report: &Report, order: &[&str], context: &[(&str, String)]) -> String {
    let mut out = String::from("{\n  \"context\": {");
    for (at, (name, value)) in context.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(out, "{comma}\n    {}: {}", quoted(name), quoted(value));
    }
    out.push_str("\n  },\n  \"figures\": [");
    for (at, entry) in report.sorted(order).into_iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let better = if entry.figure.better == Better::Higher {
            "higher"
        } else {
            "lower"
        };
        let _ = write!(
            out,
            "{comma}\n    {{\"row\": {}, \"figure\": {}, \"unit\": {}, \"better\": \"{better}\"",
            quoted(entry.row),
            quoted(entry.figure.name),
            quoted(entry.figure.unit)
        );
        for column in Column::ALL {
            if let Some(median) = entry.median(column) {
                let rounds: Vec<String> =
                    entry.values[&column].iter().map(f64::to_string).collect();
                let title = column.title();
                let _ = write!(
                    out,
                    ", \"{title}\": {median}, \"{title}_rounds\": [{}]",
                    rounds.join(", ")
                );
            }
        }
        if let Some(ratio) = entry.ratio() {
            let _ = write!(out, ", \"ratio\": {ratio}");
        }
        out.push('}');
    }
    out.push_str("\n  ]\n}\n");
    out
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Figure;
    use crate::server::Kind;

    #[test]
    fn figures_with_rounds_and_context() {
        let mut report = Report::default();
        report.add(Kind::Java, "a", Figure::lower("p50", "µs"), 4.5);
        report.add(Kind::Java, "a", Figure::lower("p50", "µs"), 3.5);
        let expected = "{\n  \"context\": {\n    \"cpu\": \"a \\\"b\\\" \\u000a\"\n  },\n  \"figures\": [\n    \
            {\"row\": \"a\", \"figure\": \"p50\", \"unit\": \"µs\", \"better\": \"lower\", \"java\": 3.5, \
            \"java_rounds\": [4.5, 3.5]}\n  ]\n}\n";
        assert_eq!(
            text(&report, &["a"], &[("cpu", "a \"b\" \n".to_owned())]),
            expected
        );
    }
}
