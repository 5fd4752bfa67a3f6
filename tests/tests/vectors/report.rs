//! What became of each case.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode;
use std::sync::Mutex;

use serde_json::Value;

/// Where the last panic happened and what it said.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// Keeps panics for the report instead of printing them where they happen.
pub(crate) fn quiet_panics() {
    panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let said = info.payload_as_str().unwrap_or("panicked");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        if let Ok(mut last) = LAST_PANIC.lock() {
            *last = format!("{place}: {said}");
        }
    }));
}

/// What became of the cases of one file.
pub(crate) struct Report {
    file: String,
    filter: String,
    passed: usize,
    filtered: usize,
    stricter: Vec<(String, &'static str)>,
    failed: Vec<(String, String)>,
    not_run: Vec<(String, &'static str)>,
    not_run_count: usize,
}

impl Report {
    /// Makes an empty report on `file`, which will run only cases that match `filter`.
    pub(crate) fn new(file: &str, filter: &str) -> Self {
        Self {
            file: file.to_owned(),
            filter: filter.to_owned(),
            passed: 0,
            filtered: 0,
            stricter: Vec::new(),
            failed: Vec::new(),
            not_run: Vec::new(),
            not_run_count: 0,
        }
    }

    /// Runs a whole file and holds the runner to having accounted for every case in it.
    pub(crate) fn run_all(&mut self, file: &Value, run: fn(&Value, &mut Self)) {
        let before = self.accounted();
        if let Err(said) = caught(|| run(file, self)) {
            self.failed.push(("outside the cases".to_owned(), said));
        }
        let cases = count_cases(file);
        let accounted = self.accounted() - before;
        if accounted < cases {
            let missing = format!("{} of {cases} cases are not accounted for", cases - accounted);
            self.failed.push(("the file as a whole".to_owned(), missing));
        }
    }

    /// Runs one case, which passes if `check` does not panic.
    pub(crate) fn case(&mut self, name: &str, check: impl FnOnce()) {
        if !self.is_wanted(name) {
            self.filtered += 1;
            return;
        }
        match caught(check) {
            Ok(()) => self.passed += 1,
            Err(said) => self.failed.push((name.to_owned(), said)),
        }
    }

    /// Runs a case the reference accepts and we refuse for `reason`; `check` shows that we do.
    pub(crate) fn stricter(&mut self, name: &str, reason: &'static str, check: impl FnOnce()) {
        let before = self.passed;
        self.case(name, check);
        if self.passed > before {
            self.passed = before;
            self.stricter.push((name.to_owned(), reason));
        }
    }

    /// Says that a case is not run, and why.
    pub(crate) fn not_run(&mut self, name: &str, reason: &'static str) {
        self.not_run.push((name.to_owned(), reason));
        self.not_run_count += 1;
    }

    /// Says that no case of `file` is run, and why.
    pub(crate) fn none_run(&mut self, file: &Value, reason: &'static str) {
        self.not_run_count = count_cases(file);
        self.not_run.push((format!("all {} cases", self.not_run_count), reason));
    }

    /// Returns whether `name` is among what was asked for on the command line.
    fn is_wanted(&self, name: &str) -> bool {
        self.file.contains(&self.filter) || name.contains(&self.filter)
    }

    fn accounted(&self) -> usize {
        self.passed + self.filtered + self.stricter.len() + self.failed.len() + self.not_run.len()
    }
}

/// Returns how many cases a file has: the objects in the lists at its top level.
fn count_cases(file: &Value) -> usize {
    let lists = file.as_object().into_iter().flat_map(|object| object.values());
    lists.filter_map(Value::as_array).flatten().filter(|case| case.is_object()).count()
}

/// Runs `check`; returns what it said if it panicked.
fn caught(check: impl FnOnce()) -> Result<(), String> {
    panic::catch_unwind(AssertUnwindSafe(check)).map_err(|_| match LAST_PANIC.lock() {
        Ok(mut last) => std::mem::take(&mut *last),
        Err(_) => "panicked".to_owned(),
    })
}

/// The sum over all files, and what deserves a line at the end.
#[derive(Default)]
pub(crate) struct Totals {
    passed: usize,
    stricter: Vec<String>,
    failed: Vec<String>,
    not_run: Vec<String>,
    not_run_count: usize,
}

impl Totals {
    /// Prints the file's line and keeps the rest for the end.
    pub(crate) fn add(&mut self, report: Report) {
        let Report { file, passed, stricter, failed, not_run, not_run_count, .. } = report;
        println!(
            "  {file:<28} {passed:>4} passed {:>3} failed {:>3} stricter {not_run_count:>3} not run",
            failed.len(),
            stricter.len(),
        );

        let line = |name: &str, why: &str| format!("  {file}: {name}: {why}");
        self.passed += passed;
        self.not_run_count += not_run_count;
        self.stricter.extend(stricter.iter().map(|(name, why)| line(name, why)));
        self.failed.extend(failed.iter().map(|(name, why)| line(name, why)));
        self.not_run.extend(not_run.iter().map(|(name, why)| line(name, why)));
    }

    /// Prints the sums; returns whether all is well.
    pub(crate) fn print(&self) -> ExitCode {
        let sections = [
            ("stricter than the reference, on purpose", &self.stricter),
            ("not run", &self.not_run),
            ("failed", &self.failed),
        ];
        for (title, lines) in sections.iter().filter(|(_, lines)| !lines.is_empty()) {
            println!("\n{title}:\n{}", lines.join("\n"));
        }

        println!(
            "\ntest result: {}. {} passed; {} failed; {} of the passed stricter than the reference; {} not run",
            if self.failed.is_empty() { "ok" } else { "FAILED" },
            self.passed + self.stricter.len(),
            self.failed.len(),
            self.stricter.len(),
            self.not_run_count,
        );
        ExitCode::from(u8::from(!self.failed.is_empty()))
    }
}
