//! Metrics in Prometheus' text format. Source: `PrometheusMetricsProvider`.

use super::process::{self, Memory};
use super::reading::{self, Value};
use super::summary::Distribution;
use super::{Info, Kind};
use crate::shared::Shared;
use std::fmt::Write as _;

/// What the text is, for an HTTP header.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics now, with those of the process that Prometheus' client libraries add.
pub fn text(shared: &Shared) -> String {
    let mut text = String::with_capacity(32 << 10);
    for (info, value) in reading::read(shared) {
        write(info, &value, &mut text);
    }
    let process = [
        ("process_open_fds", process::open_files()),
        ("process_max_fds", process::max_open_files()),
        (
            "process_resident_memory_bytes",
            i64::try_from(Memory::now().resident).unwrap_or(i64::MAX),
        ),
    ];
    for (name, value) in process {
        let info = Info {
            name,
            kind: Kind::Gauge,
            about: "",
        };
        write(&info, &Value::Integer(value), &mut text);
    }
    text
}

fn write(info: &Info, value: &Value, text: &mut String) {
    let (name, kind) = (info.name, info.kind.prometheus());
    let about = match info.about.trim() {
        "" => name,
        about => about,
    };
    let _ = writeln!(text, "# HELP {name} {about}\n# TYPE {name} {kind}");
    let _ = match value {
        Value::Integer(value) => writeln!(text, "{name} {value}"),
        Value::Float(value) => writeln!(text, "{name} {value:?}"),
        Value::Set(set) => {
            for (key, value) in set {
                let _ = writeln!(text, "{name}{{key=\"{}\"}} {value}", escape(key));
            }
            Ok(())
        }
        Value::Distribution(values) => {
            write_summary(name, None, values, text);
            Ok(())
        }
        Value::Distributions(set) => {
            for (key, values) in set {
                write_summary(name, Some(key), values, text);
            }
            Ok(())
        }
    };
}

fn write_summary(name: &str, key: Option<&str>, values: &Distribution, text: &mut String) {
    let key = key.map(|key| format!("key=\"{}\"", escape(key)));
    if values.has_percentiles() {
        let key = key.as_ref().map_or(String::new(), |key| format!("{key},"));
        for quantile in [0.5, 0.95, 0.99] {
            let value = values.quantile(quantile).unwrap_or(f64::NAN);
            let _ = writeln!(text, "{name}{{{key}quantile=\"{quantile}\"}} {value:?}");
        }
    }
    let (count, sum) = (values.count(), values.exact_sum());
    let key = key.map_or(String::new(), |key| format!("{{{key}}}"));
    let _ = writeln!(text, "{name}_count{key} {count}\n{name}_sum{key} {sum:?}");
}

fn escape(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Times;

    #[test]
    fn each_kind_has_its_form() {
        let times = Times::advanced();
        times.add_batch(2, 3000, 1000);
        let set = Value::Set(vec![("a\"b".to_owned(), 3)]);
        let none = Distribution::empty(true);
        let by_server = Value::Distributions(vec![("2".to_owned(), times.read())]);
        for (kind, about, value, expected) in [
            (
                Kind::Counter,
                "",
                Value::Integer(7),
                "# HELP x x\n# TYPE x counter\nx 7\n",
            ),
            (
                Kind::Gauge,
                "X.",
                Value::Float(0.5),
                "# HELP x X.\n# TYPE x gauge\nx 0.5\n",
            ),
            (
                Kind::GaugeSet,
                "X.",
                set,
                "# HELP x X.\n# TYPE x gauge\nx{key=\"a\\\"b\"} 3\n",
            ),
            (
                Kind::AdvancedSummary,
                "X.",
                Value::Distribution(times.read()),
                "# HELP x X.\n# TYPE x summary\nx{quantile=\"0.5\"} 1.0\nx{quantile=\"0.95\"} 1.0\n\
                 x{quantile=\"0.99\"} 1.0\nx_count 2\nx_sum 3.0\n",
            ),
            (
                Kind::SummarySet,
                "X.",
                by_server,
                "# HELP x X.\n# TYPE x summary\nx{key=\"2\",quantile=\"0.5\"} 1.0\n\
                 x{key=\"2\",quantile=\"0.95\"} 1.0\nx{key=\"2\",quantile=\"0.99\"} 1.0\n\
                 x_count{key=\"2\"} 2\nx_sum{key=\"2\"} 3.0\n",
            ),
            (
                Kind::AdvancedSummary,
                "X.",
                Value::Distribution(none),
                "# HELP x X.\n# TYPE x summary\nx{quantile=\"0.5\"} NaN\nx{quantile=\"0.95\"} NaN\n\
                 x{quantile=\"0.99\"} NaN\nx_count 0\nx_sum 0.0\n",
            ),
        ] {
            let mut text = String::new();
            write(
                &Info {
                    name: "x",
                    kind,
                    about,
                },
                &value,
                &mut text,
            );
            assert_eq!(text, expected);
        }
    }
}
