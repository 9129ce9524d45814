//! `cargo xtask bench`: runs the benches and shows them in one table, each beside its plain version and its limit,
//! and beside what was saved.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;
use toml_edit::{DocumentMut, InlineTable, value};

use crate::{
    ci::steps::{cargo, succeed},
    tree,
};

/// Where saved figures stand.
const FILE: &str = "benches/baseline.toml";
/// What rows shall not take longer than. Told beside what they take; a shared machine fails nobody.
const GOALS: [(&str, Goal); 15] = [
    ("end_to_end/callback/64", Goal::Plain(143)),
    ("end_to_end/create/1", Goal::Plain(150)),
    ("end_to_end/create/64", Goal::Plain(133)),
    ("route/channels/100", Goal::Nanoseconds(120)),
    ("route/channels/1000", Goal::Nanoseconds(500)),
    ("route/channels/10000", Goal::Nanoseconds(2500)),
    ("route/rules/3", Goal::Nanoseconds(60)),
    ("route/rules/101", Goal::Nanoseconds(300)),
    ("sign/app_sign", Goal::Limit(115)),
    ("sign/batch", Goal::Limit(25)),
    ("sign/block", Goal::Limit(105)),
    ("sign/body", Goal::Limit(125)),
    ("sign/nested", Goal::Limit(115)),
    ("sign/nested_notice", Goal::Limit(115)),
    ("sign/webhook", Goal::Limit(115)),
];
/// A ratio that grew by more than this, in a hundred, is marked. Shared machines move by less.
const MARKED_PERCENT: u64 = 15;

/// What to run and what to do with it.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Saves the figures as those that later ones are compared with.
    #[arg(long)]
    save: bool,
    /// One bench file alone, such as `sign`.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

/// Runs the benches, prints the table, and saves it where that is asked.
///
/// # Errors
/// When a bench fails or left no figures.
#[expect(clippy::print_stdout, reason = "the table is this command's output")]
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let folder = tree::target_folder(root)?.join("criterion");
    let began = mark(&folder)?;
    let which = options.only.iter().flat_map(|name| ["--bench", name.as_str()]);
    let bench = ["bench", "--package", "paymux-benches"].into_iter().chain(which);
    succeed(cargo(root, bench.chain(["--", "--quiet"])))?;
    let mut rows = BTreeMap::new();
    collect(&folder, began, &mut rows)?;
    if rows.is_empty() {
        bail!("the benches left no figures in `{}`", folder.display());
    }
    if let (None, Some(name)) = (&options.only, without_row(&rows)) {
        bail!("no bench is called `{name}`, and yet it has a goal");
    }
    let saved = fs::read_to_string(root.join(FILE)).unwrap_or_default();
    let saved: DocumentMut = saved.parse().with_context(|| format!("read `{FILE}`"))?;
    print!("{}", table(&rows, &saved));
    if options.save {
        fs::write(root.join(FILE), with(saved, &rows)).with_context(|| format!("write `{FILE}`"))?;
    }
    Ok(())
}

/// A goal whose row is not there: a bench that was renamed would lose it in silence.
fn without_row(rows: &BTreeMap<String, Row>) -> Option<&'static str> {
    GOALS.iter().map(|(name, _)| *name).find(|name| !rows.contains_key(*name))
}

/// What one operation takes, in picoseconds: ours, the plain version, and what no version can go below.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Row {
    paymux: Option<u64>,
    plain: Option<u64>,
    limit: Option<u64>,
}

impl Row {
    /// A column by its name in the benches and in the file.
    fn column(&mut self, name: &str) -> Option<&mut Option<u64>> {
        match name {
            "paymux" => Some(&mut self.paymux),
            "plain" => Some(&mut self.plain),
            "limit" => Some(&mut self.limit),
            _ => None,
        }
    }

    /// How many hundredths of its limit ours takes; of the plain version where there is no limit. This is what is
    /// compared, since clocks move from run to run and ratios do not.
    fn hundredths(&self) -> Option<u64> {
        self.paymux?.saturating_mul(100).checked_div(self.limit.or(self.plain)?)
    }
}

/// The most that ours may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// In hundredths of the row's limit.
    Limit(u64),
    /// In hundredths of the plain version.
    Plain(u64),
    /// By the clock.
    Nanoseconds(u64),
}

impl Goal {
    fn of(name: &str) -> Option<Self> {
        GOALS.iter().find(|(row, _)| *row == name).map(|(_, goal)| *goal)
    }

    /// The most, in picoseconds; `None` where what it is measured by was not measured.
    fn most(self, row: &Row) -> Option<u64> {
        match self {
            Self::Limit(hundredths) => Some(row.limit?.saturating_mul(hundredths) / 100),
            Self::Plain(hundredths) => Some(row.plain?.saturating_mul(hundredths) / 100),
            Self::Nanoseconds(nanoseconds) => Some(nanoseconds.saturating_mul(1000)),
        }
    }

    fn told(self) -> String {
        match self {
            Self::Limit(hundredths) => format!("{} limit", times(Some(hundredths))),
            Self::Plain(hundredths) => format!("{} plain", times(Some(hundredths))),
            Self::Nanoseconds(nanoseconds) => format!("{nanoseconds} ns"),
        }
    }
}

/// When the run began, by the clock of the file system: figures of older benches lie in the same folder.
fn mark(folder: &Path) -> Result<SystemTime> {
    let file = folder.join("began");
    fs::create_dir_all(folder).with_context(|| format!("make `{}`", folder.display()))?;
    fs::write(&file, [])
        .and_then(|()| fs::metadata(&file)?.modified())
        .with_context(|| format!("write `{}`", file.display()))
}

/// Reads what criterion left below a folder.
fn collect(folder: &Path, began: SystemTime, rows: &mut BTreeMap<String, Row>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("read `{}`", folder.display()))? {
        let path = entry?.path();
        let figures = path.join("sample.json");
        if path.file_name().is_some_and(|name| name == "new") && figures.is_file() {
            if fs::metadata(&figures)?.modified()? >= began {
                let (about, figures) = (json(&path.join("benchmark.json"))?, json(&figures)?);
                add(&about, &figures, rows).with_context(|| format!("no figures in `{}`", path.display()))?;
            }
        } else if path.is_dir() {
            collect(&path, began, rows)?;
        }
    }
    Ok(())
}

fn json(path: &PathBuf) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("read `{}`", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("read `{}`", path.display()))
}

/// Puts one measurement into its row: the group and the size name it, the function is the column. What is no column
/// is a row of its own.
fn add(about: &Value, samples: &Value, rows: &mut BTreeMap<String, Row>) -> Option<()> {
    let text = |key: &str| about[key].as_str();
    let group = text("group_id")?;
    let size = text("value_str").map(|size| format!("/{size}")).unwrap_or_default();
    let function = text("function_id").unwrap_or("paymux");
    let elements = about["throughput"]["Elements"].as_u64().unwrap_or(1).max(1);
    let took = quickest(samples)? / elements;
    if let Some(column) = rows.entry(format!("{group}{size}")).or_default().column(function) {
        *column = Some(took);
        return Some(());
    }
    rows.retain(|_, row| *row != Row::default());
    rows.entry(format!("{group}/{function}{size}")).or_default().paymux = Some(took);
    Some(())
}

/// The picoseconds of one iteration in the quickest of all samples: whoever else is on the machine makes some of them
/// slower and none of them quicker, and moves a median by half.
fn quickest(samples: &Value) -> Option<u64> {
    let numbers = |key: &str| samples[key].as_array();
    let all = numbers("times")?.iter().zip(numbers("iters")?);
    all.map(|(took, iterations)| {
        let iterations = thousandths(&iterations.to_string())?.checked_div(1000)?;
        thousandths(&took.to_string())?.checked_div(iterations)
    })
    .min()?
}

/// Reads a number such as `239.4871`, in thousandths; all that is counted with is whole numbers.
fn thousandths(number: &str) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(fraction.parse().ok()?)
}

/// All rows, each with its ratios and the ratio that was saved.
fn table(rows: &BTreeMap<String, Row>, saved: &DocumentMut) -> String {
    let mut text = format!(
        "{:<34} {:>10} {:>10} {:>10} {:>12} {:>12} {:>8} {:>11}\n",
        "one operation, ns", "paymux", "plain", "limit", "plain/paymux", "paymux/limit", "saved", "goal"
    );
    for (name, row) in rows {
        let was = of_file(saved, name).hundredths();
        let ratio = |above: Option<u64>, below: Option<u64>| {
            above.zip(below).and_then(|(above, below)| above.saturating_mul(100).checked_div(below))
        };
        let grew =
            row.hundredths().zip(was).is_some_and(|(now, was)| now * 100 > was * (100 + MARKED_PERCENT));
        let goal = Goal::of(name);
        let most = goal.and_then(|goal| goal.most(row));
        let missed = row.paymux.zip(most).is_some_and(|(took, most)| took > most);
        let _ = writeln!(
            text,
            "{name:<34} {:>10} {:>10} {:>10} {:>12} {:>12} {:>8} {:>11}{}{}",
            nanoseconds(row.paymux),
            nanoseconds(row.plain),
            nanoseconds(row.limit),
            times(ratio(row.plain, row.paymux)),
            times(ratio(row.paymux, row.limit)),
            times(was),
            goal.map(Goal::told).unwrap_or_default(),
            if missed { "  missed" } else { "" },
            if grew { "  slower" } else { "" }
        );
    }
    text.push_str("saved: the ratio to the limit, else to the plain version, when it was saved\n");
    text.push_str("goal: the most, as a multiple of the limit or of the plain version, or by the clock\n");
    text
}

fn nanoseconds(picoseconds: Option<u64>) -> String {
    picoseconds.map_or_else(String::new, |ps| format!("{}.{}", ps / 1000, ps % 1000 / 100))
}

fn times(hundredths: Option<u64>) -> String {
    hundredths.map_or_else(String::new, |all| format!("{}.{:02}", all / 100, all % 100))
}

fn of_file(saved: &DocumentMut, name: &str) -> Row {
    let mut row = Row::default();
    let table = saved.get("picoseconds").and_then(|all| all.get(name)).and_then(|row| row.as_inline_table());
    for (column, took) in table.into_iter().flatten() {
        if let (Some(column), Some(took)) = (row.column(column), took.as_integer()) {
            *column = u64::try_from(took).ok();
        }
    }
    row
}

/// The file with these rows in the place of older ones of the same names.
fn with(mut saved: DocumentMut, rows: &BTreeMap<String, Row>) -> String {
    if saved.get("picoseconds").is_none() {
        saved["picoseconds"] = toml_edit::table();
        saved.decor_mut().set_prefix(
            "# What benches took when they were last saved, in picoseconds, by `cargo xtask bench --save`. Later runs are\n\
             # compared by their ratios: the machine is another one, or has other neighbours.\n\n",
        );
    }
    for (name, row) in rows {
        let columns = [("paymux", row.paymux), ("plain", row.plain), ("limit", row.limit)];
        let columns =
            columns.into_iter().filter_map(|(column, took)| Some((column, i64::try_from(took?).ok()?)));
        saved["picoseconds"][name] = value(columns.collect::<InlineTable>());
    }
    saved.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(all: &[(&str, Row)]) -> BTreeMap<String, Row> {
        all.iter().map(|(name, row)| ((*name).to_owned(), *row)).collect()
    }

    const APP_SIGN: Row = Row { paymux: Some(240_000), plain: Some(1_200_500), limit: Some(200_000) };

    #[test]
    fn reads_what_criterion_leaves() {
        let mut all = BTreeMap::new();
        let mut one = |about: Value, took: Value| {
            add(&about, &json!({"times": [took, 2e8], "iters": [1000.0, 1000.0]}), &mut all)
        };
        one(json!({"group_id": "sign/app_sign", "function_id": "paymux"}), json!(240_000.0)).unwrap();
        one(json!({"group_id": "sign/app_sign", "function_id": "plain"}), json!(1_200_500.0)).unwrap();
        one(json!({"group_id": "sign/app_sign", "function_id": "limit"}), json!(200_000)).unwrap();
        let block =
            json!({"group_id": "sign/block", "function_id": "paymux", "throughput": {"Elements": 100}});
        one(block, json!(9_950_000.0)).unwrap();
        one(json!({"group_id": "route", "function_id": "plain", "value_str": "3"}), json!(500.0)).unwrap();
        one(json!({"group_id": "strategies", "function_id": "random", "value_str": null}), json!(7250.0))
            .unwrap();
        let alone = |paymux| Row { paymux: Some(paymux), ..Row::default() };
        let want = [
            ("route/3", Row { plain: Some(500), ..Row::default() }),
            ("sign/app_sign", APP_SIGN),
            ("sign/block", alone(99_500)),
            ("strategies/random", alone(7250)),
        ];
        assert_eq!(all, rows(&want));
        assert!(add(&json!({}), &json!({}), &mut all).is_none());
    }

    #[test]
    fn the_quickest_sample_counts() {
        let of = |times: Value, iters: Value| quickest(&json!({"times": times, "iters": iters}));
        assert_eq!(of(json!([500.0, 300.0, 900.5]), json!([1.0, 2.0, 3.0])), Some(150_000));
        assert_eq!(of(json!([]), json!([])), None);
        assert_eq!(of(json!([1.0]), json!([0.0])), None);
        assert_eq!(of(json!(null), json!([1.0])), None);
    }

    #[test]
    fn numbers_are_read_without_floats() {
        check("239.4871", Some(239_487));
        check("0.5", Some(500));
        check("7", Some(7000));
        check("1e3", None);
        check("null", None);
        check("-1.0", None);

        #[track_caller]
        fn check(text: &str, want: Option<u64>) {
            assert_eq!(thousandths(text), want, "{text}");
        }
    }

    #[test]
    fn shows_ratios_and_marks_what_grew() {
        let saved = |paymux| {
            with(DocumentMut::new(), &rows(&[("sign/app_sign", Row { paymux: Some(paymux), ..APP_SIGN })]))
        };
        let shown = |saved: &str| table(&rows(&[("sign/app_sign", APP_SIGN)]), &saved.parse().unwrap());
        let line = |text: &str| {
            text.lines().nth(1).unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let figures = ["sign/app_sign", "240.0", "1200.5", "200.0", "5.00", "1.20"];
        let goal = ["1.15", "limit", "missed"].as_slice();
        assert_eq!(line(&shown("")), [figures.as_slice(), goal].concat());
        assert_eq!(line(&shown(&saved(230_000))), [figures.as_slice(), &["1.15"], goal].concat());
        assert_eq!(
            line(&shown(&saved(200_000))),
            [figures.as_slice(), &["1.00"], goal, &["slower"]].concat()
        );
    }

    #[test]
    fn a_goal_is_measured_by_what_stands_beside_it() {
        check(Goal::Limit(115), Some(230_000), "1.15 limit");
        check(Goal::Plain(50), Some(600_250), "0.50 plain");
        check(Goal::Nanoseconds(60), Some(60_000), "60 ns");
        assert_eq!(Goal::Plain(100).most(&Row { plain: None, ..APP_SIGN }), None);
        assert_eq!((Goal::of("sign/batch"), Goal::of("sign")), (Some(Goal::Limit(25)), None));

        #[track_caller]
        fn check(goal: Goal, most: Option<u64>, told: &str) {
            assert_eq!((goal.most(&APP_SIGN), goal.told().as_str()), (most, told));
        }
    }

    #[test]
    fn a_goal_of_nothing_is_named() {
        let all: Vec<(&str, Row)> = GOALS.iter().map(|(name, _)| (*name, APP_SIGN)).collect();
        assert_eq!(without_row(&rows(&all)), None);
        assert_eq!(without_row(&rows(&all[1..])), Some(GOALS[0].0));
    }

    #[test]
    fn what_is_saved_is_read_back_and_other_rows_stay() {
        let first = with(DocumentMut::new(), &rows(&[("a/1", APP_SIGN), ("b", APP_SIGN)]));
        let changed = Row { limit: None, ..APP_SIGN };
        let both: DocumentMut = with(first.parse().unwrap(), &rows(&[("b", changed)])).parse().unwrap();
        assert_eq!([of_file(&both, "a/1"), of_file(&both, "b")], [APP_SIGN, changed]);
        assert_eq!(of_file(&both, "c"), Row::default());
        assert!(first.starts_with("# What benches took"), "{first}");
    }
}
