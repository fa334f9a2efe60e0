//! Arithmetic of summaries, printing of averages, order of the walk.

use super::{
    Advanced, AdvancedSummary, Basic, BasicSet, Counter, CounterSet, Decimal4, Gauge, Metrics, SampleValue,
    Summary,
};

#[test]
fn averages_print_as_java_prints_doubles() {
    let table = [
        (0, "0.0"),
        (1, "1.0E-4"),
        (10, "0.001"),
        (12, "0.0012"),
        (1_234, "0.1234"),
        (10_000, "1.0"),
        (154_545, "15.4545"),
        (-154_500, "-15.45"),
        (99_999_999_999, "9999999.9999"),
        (100_000_000_000, "1.0E7"),
        (125_000_050_000, "1.2500005E7"),
    ];
    for (ten_thousandths, expected) in table {
        assert_eq!(Decimal4(ten_thousandths).to_string(), expected);
    }
}

#[test]
fn a_summary_knows_its_extremes_and_its_average() {
    let mut summary = Summary::default();
    assert_eq!((summary.min(), summary.max(), summary.average().to_string()), (0, 0, "0.0".to_owned()));
    for value in [3, -1, 5] {
        summary.add(value);
    }
    let all = (summary.count(), summary.sum(), summary.min(), summary.max(), summary.average().0);
    assert_eq!(all, (3, 7, -1, 5, 23_333));
    let mut halves = Summary::default();
    (0..20_000).for_each(|n| halves.add(i64::from(n == 0)));
    assert_eq!(halves.average().0, 1, "half a ten-thousandth is rounded up");
}

#[test]
fn percentiles_are_interpolated_and_sampled_evenly() {
    let mut few = AdvancedSummary::default();
    assert_eq!(few.percentile(500), 0);
    for value in [40, 10, 30, 20] {
        few.add(value);
    }
    assert_eq!([500, 950, 990, 999].map(|p| few.percentile(p)), [25, 40, 40, 40]);

    let mut many = AdvancedSummary::default();
    (0..100_000).for_each(|value| many.add(value));
    assert_eq!(many.basic().count(), 100_000);
    let within = |p: u32, expected: i64| (many.percentile(p) - expected).abs() < 6_000;
    assert!(within(500, 50_000) && within(950, 95_000), "{} {}", many.percentile(500), many.percentile(950));
    let mut again = AdvancedSummary::default();
    (0..100_000).for_each(|value| again.add(value));
    assert_eq!(again, many, "the same history gives the same sample");
}

#[test]
fn names_are_unique_and_the_walk_has_them_in_order() {
    let mut metrics = Metrics::new();
    metrics.count(Counter::CommitCount);
    metrics.count_by(Counter::WatchBytes, 30);
    metrics.add(Basic::FsyncTime, 4);
    metrics.add_advanced(Advanced::ReadLatency, 2);
    metrics.add_path(BasicSet::ReadPerNamespace, "/b/x", 5);
    metrics.add_path(BasicSet::ReadPerNamespace, "/a", 7);
    metrics.add_path(BasicSet::ReadPerNamespace, "/", 9);
    metrics.count_path(CounterSet::QuotaExceededErrorPerNamespace, "/q/r");
    let names: Vec<_> = metrics.iter().map(|sample| (sample.name, sample.label)).collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len());
    assert_eq!(names.len(), Counter::ALL.len() + 1 + Basic::ALL.len() + Advanced::ALL.len() + 2);
    assert_eq!(names[0], ("add_dead_watcher_stall_time", None));
    assert_eq!(
        names[names.len() - 2..],
        [("read_per_namespace", Some("a")), ("read_per_namespace", Some("b"))]
    );
    let counted = metrics.iter().find(|sample| sample.name == "watch_bytes").map(|sample| sample.value);
    assert!(matches!(counted, Some(SampleValue::Counter(30))));
    let mut reset = metrics.clone();
    reset.reset();
    let after: Vec<_> = reset.iter().map(|sample| (sample.name, sample.label)).collect();
    assert_eq!(after, names, "no key vanishes");
    let is_zero = |value: SampleValue<'_>| match value {
        SampleValue::Counter(count) => count == 0,
        SampleValue::Basic(summary) | SampleValue::Advanced(summary) => summary.basic().count() == 0,
    };
    assert!(reset.iter().all(|sample| is_zero(sample.value)));
    assert_eq!(Gauge::AvgLatency.name(), "avg_latency");
}

#[test]
fn bytes_by_path_are_counted_with_the_path_in_java_s_characters() {
    let mut metrics = Metrics::new();
    // Two bytes and one character; four bytes and two.
    metrics.add_path(BasicSet::WritePerNamespace, "/a/\u{e9}", 10);
    metrics.add_path(BasicSet::WritePerNamespace, "/a/\u{1f600}", 10);
    let found = metrics.iter().find(|sample| sample.label == Some("a")).map(|sample| sample.value);
    let Some(SampleValue::Basic(summary)) = found else { panic!("{found:?}") };
    assert_eq!((summary.basic().min(), summary.basic().max()), (14, 15));
}

#[test]
fn labels_that_clients_choose_are_bounded() {
    let mut metrics = Metrics::new();
    for n in 0..5000 {
        metrics.add_path(BasicSet::WritePerNamespace, &format!("/n{n}/x"), 1);
    }
    assert_eq!(metrics.iter().filter(|sample| sample.name == "write_per_namespace").count(), 1000);
}
