//! The result of a sweep as JUnit's XML, which CI systems show: one suite, a case for each seed that broke a rule, one for the sweep and
//! one for its floors.

use super::total::{Broken, Total};
use std::fmt::Write;

/// Text that may stand in an attribute or between tags. XML has no way to say most control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' | '\t' | '\r' => {
                let _ = write!(escaped, "&#{};", u32::from(c));
            }
            '\0'..' ' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                escaped.extend(c.escape_unicode());
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

/// The document.
pub(super) fn document(title: &str, total: &Total, wall_seconds: f64) -> String {
    let missing = total.missing.as_deref();
    let is_thin = missing.is_some_and(|missing| !missing.is_empty());
    let (tests, skipped) = (total.broken.len() + 2, usize::from(missing.is_none()));
    let failures = total.broken.len() + usize::from(!total.broken.is_empty()) + usize::from(is_thin);
    let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\"");
    let class = escaped(&format!("quorate-sim.{}", total.scenario));
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let name = escaped(title);
    let _ = writeln!(text, "<testsuite name=\"{name}\" {counts} time=\"{wall_seconds:.3}\">");
    for (name, value) in
        [("commit", total.commit), ("version", total.version), ("trace_hash", &total.trace_hash)]
    {
        if name == "commit" {
            text.push_str("<properties>\n");
        }
        let _ = writeln!(text, "<property name=\"{name}\" value=\"{}\"/>", escaped(value));
    }
    text.push_str("</properties>\n");
    for Broken { seed, violation, replay, cpu_ns } in &total.broken {
        let seconds = *cpu_ns as f64 / 1e9;
        let _ = writeln!(text, "<testcase classname=\"{class}\" name=\"seed {seed}\" time=\"{seconds:.3}\">");
        failure(&mut text, &violation.checker, &format!("{}\nreplay: {replay}", violation.detail));
        text.push_str("</testcase>\n");
    }
    let _ = writeln!(text, "<testcase classname=\"{class}\" name=\"sweep\" time=\"{wall_seconds:.3}\">");
    if !total.broken.is_empty() {
        failure(&mut text, "sweep", &total.verdict());
    }
    let _ = writeln!(text, "</testcase>\n<testcase classname=\"{class}\" name=\"floors\" time=\"0\">");
    match missing {
        None => text.push_str("<skipped message=\"too few seeds to say what never happens\"/>\n"),
        Some([]) => {}
        Some(missing) => failure(&mut text, "floors", &format!("never happened: {}", missing.join(", "))),
    }
    text.push_str("</testcase>\n</testsuite>\n</testsuites>\n");
    text
}

fn failure(text: &mut String, kind: &str, detail: &str) {
    let (kind, first) = (escaped(kind), escaped(&detail.chars().take(200).collect::<String>()));
    let _ = writeln!(text, "<failure type=\"{kind}\" message=\"{first}\">{}</failure>", escaped(detail));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_detail_says_breaks_the_document() {
        assert_eq!(escaped("a<b> & \"c\" 'd'\n"), "a&lt;b&gt; &amp; &quot;c&quot; &apos;d&apos;&#10;");
        assert_eq!(escaped("/\u{1}/\u{0}/\u{fffe}é"), "/\\u{1}/\\u{0}/\\u{fffe}é");
    }
}
